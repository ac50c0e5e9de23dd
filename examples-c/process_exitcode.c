/* How a process ended: a code that is not there yet, and the three ways to leave one. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int returns(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    sleep(1);
    return 0;
}

static int exits_well(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    exit(EXIT_SUCCESS);
}

static int exits_badly(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    exit(EXIT_FAILURE);
}

static void print(const char *when, const mp_process *child)
{
    int code;

    if (mp_process_exitcode(child, &code) < 0)
        printf("%s: none\n", when);
    else
        printf("%s: %d\n", when, code);
}

int main(int argc, char **argv)
{
    const mp_process_fn other[] = {exits_well, exits_badly};
    const char *const name[] = {"exit(EXIT_SUCCESS)", "exit(EXIT_FAILURE)"};
    mp_process *child;
    int i;

    if (mp_bootstrap(argc, argv) < 0 || mp_process_new(&child, returns, NULL, NULL) < 0)
        return failed();
    print("before the start", child);
    if (mp_process_start(child) < 0)
        return failed();
    print("while it runs", child);
    if (mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    print("after the join", child);
    mp_process_free(child);

    for (i = 0; i < 2; i++) {
        if (mp_process_new(&child, other[i], NULL, NULL) < 0 ||
            mp_process_start(child) < 0 ||
            mp_process_join(child, MP_FOREVER) < 0)
            return failed();
        print(name[i], child);
        mp_process_free(child);
    }
    return 0;
}
