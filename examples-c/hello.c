/* Starts a process, hands it some bytes and waits for its end. Prints hello bob. */
#include <mp.h>
#include <stdio.h>

/* Runs in the child. What it returns becomes its exit code. */
static int greet(mp_child *self, void *user)
{
    size_t length;
    const char *name = mp_child_bytes(self, 0, &length);

    (void)user;
    if (name == NULL) {
        fprintf(stderr, "%s\n", mp_last_error());
        return 1;
    }
    printf("hello %.*s\n", (int)length, name);
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child;
    int code;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&child, greet, NULL, NULL) < 0 ||
        mp_process_add_bytes(child, "bob", 3) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_exitcode(child, &code) < 0 ||
        mp_process_free(child) < 0) {
        fprintf(stderr, "%s\n", mp_last_error());
        return 1;
    }
    return code == 0 ? 0 : 1;
}
