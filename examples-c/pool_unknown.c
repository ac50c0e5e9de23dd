/* A function that the workers do not have, here one that would be made at run time: the call says so, and the pool goes
 * on. In Python, where it is one typed at the prompt, the workers die over it one after the other, and the call hangs. */
#include <mp.h>
#include <stdio.h>
#include <sys/mman.h>

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

int main(int argc, char **argv)
{
    int in[] = {1, 2, 3}, out[3];
    mp_task_fn unknown;
    mp_status status;
    mp_pool *pool;
    void *code;

    if (mp_bootstrap(argc, argv) < 0 || mp_pool_new(&pool, NULL) < 0)
        return failed();
    code = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        return perror("mmap"), 1;
    *(void **)&unknown = code;
    status = mp_pool_map_array(pool, unknown, NULL, in, sizeof *in, 3, out, sizeof *out, NULL);
    printf("%s\n", mp_status_name(status));
    if (mp_pool_map_array(pool, square, NULL, in, sizeof *in, 3, out, sizeof *out, NULL) < 0 ||
        mp_pool_free(pool) < 0)
        return failed();
    printf("[%d, %d, %d]\n", out[0], out[1], out[2]);
    return 0;
}
