/* A process can be started once. For another run, make another. */
#include <mp.h>
#include <stdio.h>

static int task(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    printf("Hello from the new process\n");
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&child, task, NULL, NULL) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    if (mp_process_start(child) != MP_ERR_STATE)
        return 1;
    printf("%s\n", mp_last_error());
    mp_process_free(child);
    return 0;
}
