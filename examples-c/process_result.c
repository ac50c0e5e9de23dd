/* A child leaves its result for its parent, who takes it after the join. For more than one there are queues:
 * queue_hello.c; for numbers that change there is shared memory: value_return.c. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int task(mp_child *self, void *user)
{
    const char result[] = "the result";

    (void)user;
    return mp_child_return(self, result, strlen(result)) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process *child;
    mp_buffer *result;
    const char *text;
    size_t len;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&child, task, NULL, NULL) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_result(child, &result) < 0)
        return failed();
    text = mp_buffer_data(result, &len);
    printf("%.*s\n", (int)len, text);
    if (mp_buffer_free(result) < 0 || mp_process_free(child) < 0)
        return failed();
    return 0;
}
