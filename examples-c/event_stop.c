/* Stops a process in good order: it looks at an event each time round. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the event that says stop, and one by which the worker tells that it has begun. */
static int worker(mp_child *self, void *user)
{
    mp_event *stop = mp_child_event(self, 0), *running = mp_child_event(self, 1);
    mp_status status;

    (void)user;
    if (stop == NULL || running == NULL)
        return failed();
    /* Waiting for the event is a sleep that ends early when it is time to stop. */
    while ((status = mp_event_wait(stop, MP_MS(10))) == MP_ERR_TIMEOUT)
        if (mp_event_set(running) < 0)
            return failed();
    if (status < 0)
        return failed();
    printf("Worker closing down\n");
    return 0;
}

int main(int argc, char **argv)
{
    mp_event *stop, *running;
    mp_process *child;
    int code;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_event_new(&stop, NULL) < 0 ||
        mp_event_new(&running, NULL) < 0 ||
        mp_process_new(&child, worker, NULL, NULL) < 0 ||
        mp_process_add_handle(child, stop) < 0 ||
        mp_process_add_handle(child, running) < 0 ||
        mp_process_start(child) < 0 ||
        mp_event_wait(running, MP_FOREVER) < 0)
        return failed();
    printf("Main stopping process\n");
    fflush(stdout);
    if (mp_event_set(stop) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_exitcode(child, &code) < 0)
        return failed();
    printf("Exit code %d\n", code);
    mp_process_free(child);
    mp_event_free(running);
    mp_event_free(stop);
    return 0;
}
