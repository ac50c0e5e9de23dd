/* Runs a function in another process and waits for it. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

/* Runs in the child. */
static int task(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    sleep(1);
    printf("This is from another process\n");
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&child, task, NULL, NULL) < 0 ||
        mp_process_start(child) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    printf("Waiting for the process...\n");
    fflush(stdout);             /* otherwise a pipe gets this line after the child's */
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    return 0;
}
