/* All the ways to give work to a pool, and what becomes of who has no patience. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

enum { COUNT = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static void square(mp_task *task, void *user)
{
    const int *x = mp_task_input(task, NULL);
    int y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

static void square_and_itself(mp_task *task, void *user)
{
    const int *x = mp_task_input(task, NULL);
    int y = *x * *x + *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

static void own_pid(mp_task *task, void *user)
{
    int pid = (int)getpid();

    (void)user;
    mp_task_return(task, &pid, sizeof pid);
}

static void sleep_long(mp_task *task, void *user)
{
    (void)user;
    (void)task;
    sleep(1000);
}

static int count_up(mp_bytes *item, void *user)
{
    int *x = user;

    if (*x == COUNT - 1)
        return 0;
    ++*x;
    item->data = x;
    item->len = sizeof *x;
    return 1;
}

static void print(const char *what, const int *number, int count)
{
    int i;

    printf("%s:", what);
    for (i = 0; i < count; i++)
        printf(" %d", number[i]);
    printf("\n");
}

/* Takes the results as they are ready, in any order, or in the order of the items. */
static int iterate(mp_pool *pool, bool unordered)
{
    mp_imap_options options = MP_IMAP_OPTIONS;
    int x = -1, sum = 0, out[COUNT];
    mp_buffer *result;
    mp_imap *squares;
    mp_status status;
    size_t index;

    options.unordered = unordered;
    if (mp_pool_imap(pool, square, NULL, count_up, &x, &options, &squares) < 0)
        return failed();
    while ((status = mp_imap_next(squares, MP_FOREVER, &result, &index)) == MP_OK) {
        out[index] = *(const int *)mp_buffer_data(result, NULL);
        sum += out[index];
        mp_buffer_free(result);
    }
    if (status != MP_ERR_EOF || mp_imap_free(squares) < 0)
        return failed();
    if (unordered)
        printf("imap, unordered: together %d\n", sum);
    else
        print("imap", out, COUNT);
    return 0;
}

int main(int argc, char **argv)
{
    int in[COUNT], out[COUNT], i, twenty = 20, sent = 0;
    mp_pool_options options = MP_POOL_OPTIONS;
    mp_buffer *value;
    mp_result *result[4];
    mp_pool *pool;

    options.workers = 4;
    for (i = 0; i < COUNT; i++)
        in[i] = i;
    if (mp_bootstrap(argc, argv) < 0 || mp_pool_new(&pool, &options) < 0)
        return failed();
    if (mp_pool_map_array(pool, square, NULL, in, sizeof *in, COUNT, out, sizeof *out, NULL) < 0)
        return failed();
    print("map", out, COUNT);
    if (mp_pool_map_array(pool, square_and_itself, NULL, in, sizeof *in, COUNT, out, sizeof *out, NULL) < 0)
        return failed();
    print("map of another function", out, COUNT);
    if (iterate(pool, false) != 0 || iterate(pool, true) != 0)
        return 1;

    if (mp_pool_map_array_async(pool, square, NULL, in, sizeof *in, COUNT, sizeof *out, NULL, NULL, result) < 0 ||
        mp_result_get(result[0], MP_FOREVER, &value) < 0)
        return failed();
    print("map_async", mp_buffer_data(value, NULL), COUNT);
    if (mp_buffer_free(value) < 0 || mp_result_free(result[0]) < 0 ||
        mp_pool_apply_async(pool, square, NULL, &twenty, sizeof twenty, NULL, NULL, result) < 0 ||
        mp_result_get(result[0], MP_FOREVER, &value) < 0)
        return failed();
    print("apply_async", mp_buffer_data(value, NULL), 1);
    if (mp_buffer_free(value) < 0 || mp_result_free(result[0]) < 0)
        return failed();

    for (i = 0; i < 4; i++)
        if (mp_pool_apply_async(pool, own_pid, NULL, NULL, 0, NULL, NULL, &result[i]) < 0)
            return failed();
    for (i = 0; i < 4; i++) {
        if (mp_result_get(result[i], MP_FOREVER, &value) < 0)
            return failed();
        sent += *(const int *)mp_buffer_data(value, NULL) != (int)getpid();
        if (mp_buffer_free(value) < 0 || mp_result_free(result[i]) < 0)
            return failed();
    }
    printf("calls that ran in workers: %d\n", sent);

    if (mp_pool_apply_async(pool, sleep_long, NULL, NULL, 0, NULL, NULL, result) < 0)
        return failed();
    if (mp_result_get(result[0], MP_MS(100), NULL) == MP_ERR_TIMEOUT)
        printf("We lacked patience and got MP_ERR_TIMEOUT\n");
    if (mp_pool_map_array(pool, square, NULL, in, sizeof *in, 3, out, sizeof *out, NULL) < 0)
        return failed();
    print("the pool goes on", out, 3);
    /* It does not wait for the one who sleeps. */
    if (mp_result_free(result[0]) < 0 || mp_pool_free(pool) < 0)
        return failed();
    printf("Now the pool is closed and no longer available\n");
    return 0;
}
