/* Runs a function in another process, with arguments: how long to sleep, and what to say. */
#include <mp.h>
#include <stdio.h>
#include <time.h>

/* Runs in the child. The arguments are bytes, in the order in which they were added. */
static int task(mp_child *self, void *user)
{
    const double *seconds = mp_child_bytes(self, 0, NULL);
    const char *message = mp_child_bytes(self, 1, NULL);
    struct timespec pause;

    (void)user;
    if (seconds == NULL || message == NULL)
        return 1;
    pause.tv_sec = (time_t)*seconds;
    pause.tv_nsec = (long)((*seconds - (double)pause.tv_sec) * 1e9);
    nanosleep(&pause, NULL);
    printf("%s\n", message);
    return 0;
}

int main(int argc, char **argv)
{
    const char message[] = "New message from another process";
    const double seconds = 1.5;
    mp_process *child;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&child, task, NULL, NULL) < 0 ||
        mp_process_add_bytes(child, &seconds, sizeof seconds) < 0 ||
        mp_process_add_bytes(child, message, sizeof message) < 0 ||
        mp_process_start(child) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    printf("Waiting for the process...\n");
    fflush(stdout);
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    return 0;
}
