/* libmp.a and another Rust archive in one program. Both are used in a worker and in the parent, and the
 * stack can be walked from a callback through libmp's frames to main. */
#include <mp.h>
#include <stdio.h>
#include <unwind.h>

int second_add_two(int x);
int main(int argc, char **argv);

static int frames, reached;

static void add_two(mp_task *task, void *user)
{
    const int *x = mp_task_input(task, NULL);
    int y = second_add_two(*x);

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *user)
{
    (void)user;
    frames++;
    if (_Unwind_FindEnclosingFunction((void *)(_Unwind_GetIP(context) - 1)) == (void *)main)
        reached = 1;
    return _URC_NO_REASON;
}

static int progress(size_t done, size_t total, void *user)
{
    (void)user;
    if (done == total)
        _Unwind_Backtrace(look, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    const int in[] = {1, 2, 3};
    int out[3] = {0, 0, 0};
    mp_map_options options = MP_MAP_OPTIONS;
    mp_pool *pool;

    options.progress = progress;
    if (mp_bootstrap(argc, argv) < 0 || mp_pool_new(&pool, NULL) < 0 ||
        mp_pool_map_array(pool, add_two, NULL, in, sizeof *in, 3, out, sizeof *out, &options) < 0 ||
        mp_pool_free(pool) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    /* The callback, libmp between them, and main. */
    if (!reached || frames < 3)
        return fprintf(stderr, "%d frames, and main is not among them\n", frames), 1;
    printf("%d %d %d %d\n", out[0], out[1], out[2], second_add_two(10));
    return 0;
}
