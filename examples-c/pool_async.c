/* Calls that nobody waits for: their results are taken as they come. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

enum { CALLS = 3 };

/* Runs in a worker process. */
static void greet(mp_task *task, void *user)
{
    size_t length;
    const char *name = mp_task_input(task, &length);
    char text[60];
    int written = snprintf(text, sizeof text, "hello, %.*s", (int)length, name);

    (void)user;
    if (length == 0)
        mp_task_fail(task, "nobody has no name");
    else
        mp_task_return(task, text, (size_t)written);
}

int main(int argc, char **argv)
{
    const char *const name[CALLS] = {"Ada", "", "Grace"};
    mp_result *result[CALLS];
    mp_buffer *value;
    size_t i, length;
    mp_pool *pool;

    if (mp_bootstrap(argc, argv) < 0 || mp_pool_new(&pool, NULL) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    for (i = 0; i < CALLS; i++)
        if (mp_pool_apply_async(pool, greet, NULL, name[i], strlen(name[i]), NULL, NULL, &result[i]) < 0)
            return fprintf(stderr, "%s\n", mp_last_error()), 1;
    while (mp_result_next(result, CALLS, MP_FOREVER, &i) == MP_OK) {
        if (mp_result_get(result[i], MP_NO_WAIT, &value) < 0) {
            printf("call %zu: %s\n", i, mp_last_error());
        } else {
            const char *text = mp_buffer_data(value, &length);

            printf("call %zu: %.*s\n", i, (int)length, text);
            mp_buffer_free(value);
        }
        mp_result_free(result[i]);
        result[i] = NULL;
    }
    mp_pool_close(pool);
    mp_pool_join(pool, MP_FOREVER);
    mp_pool_free(pool);
    return 0;
}
