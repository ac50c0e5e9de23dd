/* Five processes wait for an event; the parent sets it, and each goes on, one after the other. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the event that all wait for; the one that says that it is this process's turn, and the one that it then
 * sets for the next process; a barrier, at which all are ready; and a number. */
static int task(mp_child *self, void *user)
{
    mp_event *start = mp_child_event(self, 0);
    mp_event *turn = mp_child_event(self, 1), *next = mp_child_event(self, 2);
    mp_barrier *ready = mp_child_barrier(self, 3);
    const int *number = mp_child_bytes(self, 4, NULL);

    (void)user;
    if (start == NULL || turn == NULL || next == NULL || ready == NULL || number == NULL)
        return failed();
    printf("Process %d waiting...\n", *number);
    fflush(stdout);
    if (mp_barrier_wait(ready, MP_FOREVER, NULL) < 0 ||
        mp_event_wait(start, MP_FOREVER) < 0 ||
        mp_event_wait(turn, MP_FOREVER) < 0)
        return failed();
    printf("Process %d got it\n", *number);
    fflush(stdout);
    if (mp_event_set(next) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[5];
    mp_barrier *ready;
    mp_event *start, *turn[6];
    int i;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_event_new(&start, NULL) < 0 ||
        mp_barrier_new(&ready, 5 + 1, NULL) < 0)
        return failed();
    for (i = 0; i < 6; i++)
        if (mp_event_new(&turn[i], NULL) < 0)
            return failed();
    for (i = 0; i < 5; i++)
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], start) < 0 ||
            mp_process_add_handle(child[i], turn[i]) < 0 ||
            mp_process_add_handle(child[i], turn[i + 1]) < 0 ||
            mp_process_add_handle(child[i], ready) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    printf("Main process blocking...\n");
    fflush(stdout);
    if (mp_barrier_wait(ready, MP_FOREVER, NULL) < 0 ||
        mp_event_set(start) < 0 ||
        mp_event_set(turn[0]) < 0)
        return failed();
    for (i = 0; i < 5; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    for (i = 0; i < 6; i++)
        mp_event_free(turn[i]);
    mp_barrier_free(ready);
    mp_event_free(start);
    return 0;
}
