/* The ways to acquire: with patience, without, for a while, and for as long as the braces are open; a
 * lock, an RLock and a semaphore in turn. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static const char *answer(mp_status s)
{
    return s == MP_ERR_TIMEOUT ? "no" : s < 0 ? mp_last_error() : "yes";
}

/* Runs in another process, while this one has them. Arguments: all three. */
static int tries(mp_child *self, void *user)
{
    mp_lock *lock = mp_child_lock(self, 0);
    mp_rlock *rlock = mp_child_rlock(self, 1);
    mp_semaphore *semaphore = mp_child_semaphore(self, 2);

    (void)user;
    printf("lock, at once: %s\n", answer(mp_lock_acquire(lock, MP_NO_WAIT)));
    printf("RLock, within 100 ms: %s\n", answer(mp_rlock_acquire(rlock, MP_MS(100))));
    printf("RLock, released by another: %s\n", mp_status_name(mp_rlock_release(rlock)));
    printf("one of 3 slots: %s\n", answer(mp_semaphore_acquire(semaphore, MP_SEC(10))));
    printf("one more: %s\n", answer(mp_semaphore_acquire(semaphore, MP_NO_WAIT)));
    return mp_semaphore_release(semaphore, 1) < 0 ? failed() : 0;
}

/* Gives the lock back on each of its ways out. */
static int first_even(mp_lock *lock, const int *numbers, int count)
{
    int i;

    MP_WITH_LOCK(lock) {
        for (i = 0; i < count; i++)
            if (numbers[i] % 2 == 0)
                return numbers[i];
    }
    return -1;
}

static int show(const mp_lock *lock, const mp_rlock *rlock, const mp_semaphore *semaphore)
{
    char text[3][80];

    if (mp_lock_describe(lock, text[0], sizeof text[0], NULL) < 0 ||
        mp_rlock_describe(rlock, text[1], sizeof text[1], NULL) < 0 ||
        mp_semaphore_describe(semaphore, text[2], sizeof text[2], NULL) < 0)
        return -1;
    printf("%s %s %s\n", text[0], text[1], text[2]);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static const int numbers[] = {3, 5, 8, 13};
    mp_semaphore *semaphore;
    mp_process *child;
    mp_rlock *rlock;
    mp_lock *lock;

    if (mp_bootstrap(argc, argv) < 0 || mp_lock_new(&lock, NULL) < 0 ||
        mp_rlock_new(&rlock, NULL) < 0 || mp_semaphore_new(&semaphore, 3, NULL) < 0 ||
        show(lock, rlock, semaphore) < 0)
        return failed();
    MP_WITH_RLOCK(rlock) {
        MP_WITH_RLOCK(rlock) { /* its holder gets it again */
            if (mp_lock_acquire(lock, MP_FOREVER) < 0 ||
                mp_semaphore_acquire(semaphore, MP_FOREVER) < 0 ||
                mp_semaphore_acquire(semaphore, MP_NO_WAIT) < 0 ||
                show(lock, rlock, semaphore) < 0 ||
                mp_process_new(&child, tries, NULL, NULL) < 0 ||
                mp_process_add_handle(child, lock) < 0 ||
                mp_process_add_handle(child, rlock) < 0 ||
                mp_process_add_handle(child, semaphore) < 0 || mp_process_start(child) < 0 ||
                mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0 ||
                mp_lock_release(lock) < 0 || mp_semaphore_release(semaphore, 2) < 0)
                return failed();
        }
    }
    printf("first even number: %d\n", first_even(lock, numbers, 4));
    if (show(lock, rlock, semaphore) < 0 || mp_lock_free(lock) < 0 || mp_rlock_free(rlock) < 0 ||
        mp_semaphore_free(semaphore) < 0)
        return failed();
    return 0;
}
