/* Ten processes sleep while they hold one RLock, and report, for which they acquire it again. */
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

/* Can be called with the RLock and without it. */
static int report(mp_rlock *rlock, int number)
{
    if (mp_rlock_acquire(rlock, MP_FOREVER) < 0)
        return failed();
    printf(">process %d done\n", number);
    fflush(stdout);
    return mp_rlock_release(rlock) < 0 ? failed() : 0;
}

/* Arguments: the RLock, which child this is, and how many milliseconds it shall sleep. */
static int task(mp_child *self, void *user)
{
    mp_rlock *rlock = mp_child_rlock(self, 0);
    const int *number = mp_child_bytes(self, 1, NULL), *pause = mp_child_bytes(self, 2, NULL);

    (void)user;
    if (rlock == NULL || number == NULL || pause == NULL || mp_rlock_acquire(rlock, MP_FOREVER) < 0)
        return failed();
    printf(">process %d sleeping for 0.%03d\n", *number, *pause);
    fflush(stdout);
    usleep((useconds_t)*pause * 1000);
    if (report(rlock, *number) != 0)
        return 1;
    return mp_rlock_release(rlock) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process *child[CHILDREN];
    mp_rlock *rlock;
    int i, pause;

    if (mp_bootstrap(argc, argv) < 0 || mp_rlock_new(&rlock, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++) {
        pause = rand() % 200;
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], rlock) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_add_bytes(child[i], &pause, sizeof pause) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    }
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    return mp_rlock_free(rlock) < 0 ? failed() : 0;
}
