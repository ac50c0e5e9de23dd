/* Built against an installed libmp as C++, with what pkg-config says and nothing else. */
#include <cstdint>
#include <cstdio>
#include <mp.h>

static void triple(mp_task *task, void *)
{
    const std::int64_t *x = static_cast<const std::int64_t *>(mp_task_input(task, nullptr));
    const std::int64_t y = *x * 3;

    mp_task_return(task, &y, sizeof y);
}

int main(int argc, char **argv)
{
    const std::int64_t in[] = {1, 2, 3};
    std::int64_t out[3] = {0, 0, 0};
    mp_pool_options options = MP_POOL_OPTIONS;
    mp_pool *pool = nullptr;

    options.workers = 2;
    if (mp_bootstrap(argc, argv) < 0 || mp_pool_new(&pool, &options) < 0 ||
        mp_pool_map_array(pool, triple, nullptr, in, sizeof *in, 3, out, sizeof *out, nullptr) < 0 ||
        mp_pool_free(pool) < 0) {
        std::fprintf(stderr, "%s\n", mp_last_error());
        return 1;
    }
    std::printf("[%d, %d, %d]\n", static_cast<int>(out[0]), static_cast<int>(out[1]),
                static_cast<int>(out[2]));
    return 0;
}
