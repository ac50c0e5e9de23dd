/* A child hands a result back through a number that both share. Prints what each of them sees. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Runs in the child. */
static int run(mp_child *self, void *user)
{
    mp_value *data = mp_child_value(self, 0);
    int64_t stored;

    (void)user;
    if (data == NULL || mp_value_set_int(data, 99) < 0 || mp_value_get_int(data, &stored) < 0)
        return failed();
    printf("Child stored: %d\n", (int)stored);
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child;
    mp_value *data;
    int64_t got;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_value_new(&data, 'i', NULL, NULL) < 0 ||
        mp_process_new(&child, run, NULL, NULL) < 0 ||
        mp_process_add_handle(child, data) < 0)
        return failed();
    /* Before the start: what the child prints may come at any moment after it. */
    printf("Waiting for the child process to finish\n");
    fflush(stdout);             /* the child has an output buffer of its own */
    if (mp_process_start(child) < 0 || mp_process_join(child, MP_FOREVER) < 0 ||
        mp_value_get_int(data, &got) < 0)
        return failed();
    printf("Parent got: %d\n", (int)got);
    mp_process_free(child);
    mp_value_free(data);
    return 0;
}
