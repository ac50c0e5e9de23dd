/* Squares five numbers in four worker processes. Prints [1, 4, 9, 16, 25]. */
#include <mp.h>
#include <stdio.h>

static void square(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

int main(int argc, char **argv)
{
    mp_pool_options options = MP_POOL_OPTIONS;
    int64_t in[] = {1, 2, 3, 4, 5}, out[5];
    mp_pool *pool;
    int i;

    options.workers = 4;
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_pool_new(&pool, &options) < 0 ||
        mp_pool_map_array(pool, square, NULL, in, sizeof *in, 5, out, sizeof *out, NULL) < 0 ||
        mp_pool_free(pool) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    for (i = 0; i < 5; i++)
        printf("%s%d", i == 0 ? "[" : ", ", (int)out[i]);
    printf("]\n");
    return 0;
}
