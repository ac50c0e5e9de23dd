/* A daemon works in the background for ever, and ends with its parent, whatever becomes of that. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: where its ticks go. */
static int ticks(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    int i;

    (void)user;
    for (i = 1;; i++) {
        if (mp_queue_put(queue, &i, sizeof i, MP_FOREVER) < 0)
            return failed();
        usleep(10000);
    }
}

int main(int argc, char **argv)
{
    mp_process_options options = MP_PROCESS_OPTIONS;
    mp_process *worker;
    mp_queue *queue;
    int i, tick, pid;

    options.daemon = true;
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&worker, ticks, NULL, &options) < 0 ||
        mp_process_add_handle(worker, queue) < 0 ||
        mp_process_start(worker) < 0 ||
        mp_process_pid(worker, &pid) < 0)
        return failed();
    for (i = 0; i < 3; i++) {
        if (mp_queue_get(queue, &tick, sizeof tick, NULL, NULL, MP_FOREVER) < 0)
            return failed();
        printf("tick %d\n", tick);
    }
    printf("main ends, and so does process %d\n", pid);
    return 0;
}
