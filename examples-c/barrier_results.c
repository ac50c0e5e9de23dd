/* Five workers and the parent wait for each other at a barrier: nobody goes on before all have their result. The one
 * who comes last adds a line of its own. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Run by the last of them, whichever that is, before any goes on. */
static int all_here(mp_barrier *barrier, void *user)
{
    size_t waiting;

    (void)user;
    if (mp_barrier_waiting(barrier, &waiting) < 0)
        return failed();
    printf("%d are here\n", (int)waiting);
    fflush(stdout);
    return 0;
}

/* Arguments: the barrier, and a number. */
static int task(mp_child *self, void *user)
{
    mp_barrier *barrier = mp_child_barrier(self, 0);
    const int *number = mp_child_bytes(self, 1, NULL);

    (void)user;
    if (barrier == NULL || number == NULL)
        return failed();
    printf("Process %d done, got: %d\n", *number, *number * *number);
    fflush(stdout);
    if (mp_barrier_wait(barrier, MP_FOREVER, NULL) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_barrier_options options = MP_BARRIER_OPTIONS;
    mp_process *child[5];
    mp_barrier *barrier;
    int i;

    options.action = all_here;
    if (mp_bootstrap(argc, argv) < 0 || mp_barrier_new(&barrier, 5 + 1, &options) < 0)
        return failed();
    for (i = 0; i < 5; i++)
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], barrier) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    printf("Main process waiting on all results...\n");
    fflush(stdout);
    if (mp_barrier_wait(barrier, MP_FOREVER, NULL) < 0)
        return failed();
    printf("All processes have their result\n");
    for (i = 0; i < 5; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    mp_barrier_free(barrier);
    return 0;
}
