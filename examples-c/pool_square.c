/* Squares three numbers in worker processes, one per core. Prints [1, 4, 9].
 *
 *     cc pool_square.c $(pkg-config --cflags --libs libmp)
 */
#include <mp.h>
#include <stdio.h>

/* Runs in a worker process, once for each item. */
static void square(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

int main(int argc, char **argv)
{
    int64_t in[] = {1, 2, 3}, out[3];
    mp_pool *pool;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_pool_new(&pool, NULL) < 0 ||
        mp_pool_map_array(pool, square, NULL, in, sizeof *in, 3, out, sizeof *out, NULL) < 0 ||
        mp_pool_free(pool) < 0) {
        fprintf(stderr, "%s\n", mp_last_error());
        return 1;
    }
    printf("[%d, %d, %d]\n", (int)out[0], (int)out[1], (int)out[2]);
    return 0;
}
