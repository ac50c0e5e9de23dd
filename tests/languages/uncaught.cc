/* A C++ program whose child throws what nobody catches. */
#include <cstdlib>
#include <cstring>
#include <mp.h>
#include <stdexcept>

static void deeper(int depth)
{
    if (depth == 0)
        throw std::runtime_error("out of luck");
    deeper(depth - 1);
}

static int throws(mp_child *, void *)
{
    deeper(5);
    return 0;
}

static int catches(mp_child *, void *)
{
    try {
        deeper(5);
    } catch (const std::exception &e) {
        return std::strcmp(e.what(), "out of luck") == 0 ? 7 : 8;
    }
    return 9;
}

static int run(int (*target)(mp_child *, void *), int method)
{
    mp_process_options options = MP_PROCESS_OPTIONS;
    mp_process *process;
    int code;

    options.start_method = method;
    options.name = "unlucky";
    if (mp_process_new(&process, target, nullptr, &options) < 0 || mp_process_start(process) < 0 ||
        mp_process_join(process, MP_FOREVER) < 0 || mp_process_exitcode(process, &code) < 0 ||
        mp_process_free(process) < 0)
        std::exit(100);
    return code;
}

int main(int argc, char **argv)
{
    int method;

    if (mp_bootstrap(argc, argv) < 0 || argc != 2 || mp_start_method_from_name(argv[1], &method) < 0)
        return 101;
    if (run(catches, method) != 7)
        return 102;
    return run(throws, method);
}
