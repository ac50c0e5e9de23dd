/* Results are taken one at a time, in the order of the items, which come from a function; no more
   than a few are on their way at once, however many there will be. */
#include <mp.h>
#include <stdio.h>

/* Runs in a worker process. */
static void cube(mp_task *task, void *user)
{
    const int *x = mp_task_input(task, NULL);
    int y = *x * *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

/* Gives the items; they are copied. */
static int count_to_5(mp_bytes *item, void *user)
{
    int *x = user;

    if (*x == 5)
        return 0;
    ++*x;
    item->data = x;
    item->len = sizeof *x;
    return 1;
}

int main(int argc, char **argv)
{
    mp_buffer *result;
    mp_imap *cubes;
    mp_pool *pool;
    int x = 0, status;
    size_t index;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_pool_new(&pool, NULL) < 0 ||
        mp_pool_imap(pool, cube, NULL, count_to_5, &x, NULL, &cubes) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    while ((status = mp_imap_next(cubes, MP_FOREVER, &result, &index)) == MP_OK) {
        const int *y = mp_buffer_data(result, NULL);

        printf("item %zu: %d\n", index, *y);
        mp_buffer_free(result);
    }
    if (status != MP_ERR_EOF || mp_imap_free(cubes) < 0 || mp_pool_free(pool) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    return 0;
}
