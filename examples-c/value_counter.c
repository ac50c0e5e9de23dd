/* Four processes add to one number in shared memory, 1000 times each. Prints 4000. */
#include <mp.h>
#include <stdio.h>

enum { CHILDREN = 4, TIMES = 1000 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Runs in each child. */
static int count(mp_child *self, void *user)
{
    mp_value *counter = mp_child_value(self, 0);
    int i;

    (void)user;
    if (counter == NULL)
        return failed();
    for (i = 0; i < TIMES; i++)
        if (mp_value_fetch_add(counter, 1, NULL) < 0)
            return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[CHILDREN];
    mp_value *counter;
    int64_t total;
    int i, code;

    if (mp_bootstrap(argc, argv) < 0 || mp_value_new(&counter, MP_INT64, NULL, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_new(&child[i], count, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], counter) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < CHILDREN; i++) {
        if (mp_process_join(child[i], MP_FOREVER) < 0 ||
            mp_process_exitcode(child[i], &code) < 0 ||
            mp_process_free(child[i]) < 0)
            return failed();
        if (code != 0)
            return 1;
    }
    if (mp_value_get_int(counter, &total) < 0 || mp_value_free(counter) < 0)
        return failed();
    printf("%d\n", (int)total);
    return 0;
}
