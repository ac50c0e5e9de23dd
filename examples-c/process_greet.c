/* Greets from another process, which has a number of its own. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

static int greet(mp_child *self, void *user)
{
    const char *name = mp_child_bytes(self, 0, NULL);

    (void)user;
    if (name == NULL)
        return 1;
    printf("Hello %s from process %ld\n", name, (long)getpid());
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child;
    int pid;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&child, greet, NULL, NULL) < 0 ||
        mp_process_add_bytes(child, "Alice", sizeof "Alice") < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_pid(child, &pid) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_free(child) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    printf("That was process %d, and this is process %ld\n", pid, (long)getpid());
    return 0;
}
