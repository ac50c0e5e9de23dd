/* Ten processes print one line each. The lock keeps the lines whole, their order is free. */
#include <mp.h>
#include <stdio.h>

enum { CHILDREN = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Runs in each child. Arguments: the lock, and the number to print. */
static int print(mp_child *self, void *user)
{
    mp_lock *lock = mp_child_lock(self, 0);
    const int *number = mp_child_bytes(self, 1, NULL);

    (void)user;
    if (lock == NULL || number == NULL)
        return failed();
    if (mp_lock_acquire(lock, MP_FOREVER) < 0)
        return failed();
    /* Flushed in pieces: without the lock the pieces of ten lines would mix. */
    printf("hello ");
    fflush(stdout);
    printf("world ");
    fflush(stdout);
    printf("%d\n", *number);
    fflush(stdout);
    return mp_lock_release(lock) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process *child[CHILDREN];
    mp_lock *lock;
    int i, code, worst = 0;

    if (mp_bootstrap(argc, argv) < 0 || mp_lock_new(&lock, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_new(&child[i], print, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], lock) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < CHILDREN; i++) {
        if (mp_process_join(child[i], MP_FOREVER) < 0 ||
            mp_process_exitcode(child[i], &code) < 0 ||
            mp_process_free(child[i]) < 0)
            return failed();
        if (code != 0)
            worst = 1;
    }
    return mp_lock_free(lock) < 0 ? failed() : worst;
}
