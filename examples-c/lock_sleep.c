/* Ten processes want one lock, and sleep while they hold it: one after the other. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHILDREN = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the lock, which child this is, and how many milliseconds it shall sleep. */
static int task(mp_child *self, void *user)
{
    mp_lock *lock = mp_child_lock(self, 0);
    const int *number = mp_child_bytes(self, 1, NULL), *pause = mp_child_bytes(self, 2, NULL);

    (void)user;
    if (lock == NULL || number == NULL || pause == NULL || mp_lock_acquire(lock, MP_FOREVER) < 0)
        return failed();
    printf(">process %d got the lock, sleeping for 0.%03d\n", *number, *pause);
    fflush(stdout);
    usleep((useconds_t)*pause * 1000);
    return mp_lock_release(lock) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process *child[CHILDREN];
    mp_lock *lock;
    int i, pause;

    if (mp_bootstrap(argc, argv) < 0 || mp_lock_new(&lock, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++) {
        pause = rand() % 200;
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], lock) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_add_bytes(child[i], &pause, sizeof pause) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    }
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    return mp_lock_free(lock) < 0 ? failed() : 0;
}
