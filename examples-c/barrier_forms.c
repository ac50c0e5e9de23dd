/* A barrier with an action, and the ways in which it breaks. The index that wait gives is the place of arrival: 0 came
 * first, and the last one has parties - 1; to let one party do something, take any of the numbers. */
#include <mp.h>
#include <stdio.h>

enum { PARTIES = 3 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* The last party runs it, before any goes on. */
static int all_have_come(mp_barrier *barrier, void *user)
{
    (void)user;
    (void)barrier;
    printf("all have come\n");
    return fflush(stdout);
}

/* Arguments: the barrier. */
static int task(mp_child *self, void *user)
{
    mp_barrier *barrier = mp_child_barrier(self, 0);
    mp_status status;
    size_t index;

    (void)user;
    if (mp_barrier_wait(barrier, MP_FOREVER, &index) < 0)
        return failed();
    if (index == 0)
        printf("one of them came first\n");
    /* The second time one party is missing, and after it has given up the barrier is broken for all. */
    status = mp_barrier_wait(barrier, MP_FOREVER, NULL);
    return status == MP_ERR_BROKEN_BARRIER ? 0 : failed();
}

int main(int argc, char **argv)
{
    mp_barrier_options options = MP_BARRIER_OPTIONS;
    mp_process *child[PARTIES - 1];
    mp_barrier *barrier;
    bool broken;
    size_t index;
    int i, code;

    options.action = all_have_come;
    if (mp_bootstrap(argc, argv) < 0 || mp_barrier_new(&barrier, PARTIES, &options) < 0)
        return failed();
    for (i = 0; i < PARTIES - 1; i++)
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], barrier) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    if (mp_barrier_wait(barrier, MP_FOREVER, &index) < 0)
        return failed();
    if (index == 0)
        printf("one of them came first\n");
    fflush(stdout);
    if (mp_barrier_abort(barrier) < 0)
        return failed();
    for (i = 0; i < PARTIES - 1; i++) {
        if (mp_process_join(child[i], MP_FOREVER) < 0 ||
            mp_process_exitcode(child[i], &code) < 0 ||
            mp_process_free(child[i]) < 0)
            return failed();
        printf("a child was told: %s\n", code == 0 ? "MP_ERR_BROKEN_BARRIER" : "?");
    }

    if (mp_barrier_reset(barrier) < 0 || mp_barrier_broken(barrier, &broken) < 0)
        return failed();
    printf("after a reset: %s\n", broken ? "broken" : "like new");
    printf("alone, for 10 ms: %s\n", mp_status_name(mp_barrier_wait(barrier, MP_MS(10), NULL)));
    printf("and then: %s\n", mp_status_name(mp_barrier_wait(barrier, MP_FOREVER, NULL)));
    return mp_barrier_free(barrier) < 0 ? failed() : 0;
}
