/* What tests/spawn.sh runs: program COMMAND [ARGUMENT...]. A child by spawn and a map in spawned workers;
 * prints what came of them, and the sentence to stderr.
 *
 * own                        functions of its own
 * plugin LIBRARY             functions of a library that is loaded after mp_bootstrap
 * leave LIBRARY              the same, by a path that is no longer right when the child starts
 * replace LIBRARY OTHER      another library takes the loaded one's place before the child starts
 * remove FILE, rename FILE OTHER  the same for a file of which nothing is loaded, such as the executable
 * other EXECUTABLE           the child runs that one; the functions have names
 * other-unnamed EXECUTABLE   the functions have none
 * named EXECUTABLE           functions that only that one has, by a context
 * anything else              "went on", if descriptors 0 and 3 are as they were */
#include <dlfcn.h>
#include <fcntl.h>
#include <mp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef ANSWER
#define ANSWER 7
#endif

static void say(const char *what, mp_status status, int number)
{
    if (status < 0)
        fprintf(stderr, "%s\n", mp_last_error());
    if (status < 0)
        printf("%s %s\n", what, mp_status_name(status));
    else
        printf("%s %d\n", what, number);
}

static mp_status run_process(mp_process_fn function, const mp_process_options *o, int *code)
{
    mp_process *process;
    mp_status s = mp_process_new(&process, function, NULL, o);

    if (s == MP_OK && (s = mp_process_start(process)) == MP_OK &&
        (s = mp_process_join(process, MP_FOREVER)) == MP_OK)
        s = mp_process_exitcode(process, code);
    return s;
}

static mp_status run_pool(mp_task_fn function, const mp_context *context, int *sum)
{
    int32_t in[4] = {1, 10, 100, 1000}, out[4] = {0, 0, 0, 0};
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;
    mp_status s;

    o.workers = 2;
    o.context = context;
    if ((s = mp_pool_new(&pool, &o)) < 0)
        return s;
    s = mp_pool_map_array(pool, function, NULL, in, sizeof *in, 4, out, sizeof *out, NULL);
    *sum = out[0] + out[1] + out[2] + out[3];
    if (s == MP_OK)
        s = mp_pool_free(pool);
    return s;
}

static void run_both_with(mp_process_fn process, mp_task_fn task, const mp_context *context)
{
    mp_process_options process_options = MP_PROCESS_OPTIONS;
    int number = -1;
    mp_status s;

    process_options.context = context;
    s = run_process(process, &process_options, &number);

    say("process", s, number);
    s = run_pool(task, context, &number);
    say("pool", s, number);
}

static void run_both(mp_process_fn process, mp_task_fn task)
{
    run_both_with(process, task, NULL);
}

/* ---- functions of its own ---- */

static int gives(mp_child *self, void *user)
{
    (void)user;
    return ANSWER + (int)mp_child_count(self);
}

/* A grandchild, which gives one more. */
static int child_gives(mp_child *self, void *user)
{
    int code = 0;

    (void)self;
    (void)user;
    return run_process(gives, NULL, &code) < 0 ? 99 : code + 1;
}

static void multiplies(mp_task *task, void *user)
{
    const int32_t *x = mp_task_input(task, NULL);
    int32_t y = *x * ANSWER;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

/* ---- functions of a library ---- */

static bool load(const char *path, mp_process_fn *process, mp_task_fn *task)
{
    void *library = dlopen(path, RTLD_NOW), *symbol;

    if (library == NULL)
        return fprintf(stderr, "%s\n", dlerror()), false;
    symbol = dlsym(library, "plugin_process");
    memcpy(process, &symbol, sizeof symbol);
    symbol = dlsym(library, "plugin_task");
    memcpy(task, &symbol, sizeof symbol);
    return *process != NULL && *task != NULL;
}

static int with_library(const char *command, const char *path, const char *other)
{
    mp_process_fn process;
    mp_task_fn task;

    if (!load(path, &process, &task))
        return 1;
    if (strcmp(command, "replace") == 0 && rename(other, path) < 0)
        return perror(other), 1;
    if (strcmp(command, "leave") == 0 && chdir("/") < 0)
        return perror("/"), 1;
    run_both(process, task);
    return 0;
}

/* By name alone, and beside a child that runs this executable. */
static int with_names(const char *path)
{
    mp_function process, task;
    mp_context *context;

    if (mp_context_new_executable(&context, path, NULL) < 0 || mp_get_target("gives", &process) < 0 ||
        mp_get_target("multiplies", &task) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    run_both_with((mp_process_fn)process, (mp_task_fn)task, context);
    run_both(child_gives, multiplies);
    return 0;
}

static int went_on(void)
{
    if (fcntl(0, F_GETFD) < 0 || fcntl(3, F_GETFD) != 0)
        return printf("descriptors are not as they were\n"), 1;
    printf("went on\n");
    return 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "", *first = argc > 2 ? argv[2] : "";
    const char *second = argc > 3 ? argv[3] : "";

#ifndef UNNAMED
    if (strcmp(command, "other-unnamed") != 0 &&
        (mp_register_target("gives", (mp_function)gives) < 0 ||
         mp_register_target("multiplies", (mp_function)multiplies) < 0))
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
#endif
    if (mp_bootstrap(argc, argv) < 0 || mp_set_start_method(MP_START_SPAWN, false) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    if (strcmp(command, "plugin") == 0 || strcmp(command, "leave") == 0 ||
        strcmp(command, "replace") == 0)
        return with_library(command, first, second);
    if (strcmp(command, "remove") == 0 && unlink(first) < 0)
        return perror(first), 1;
    if (strcmp(command, "rename") == 0 && rename(second, first) < 0)
        return perror(first), 1;
    if (strcmp(command, "named") == 0)
        return with_names(first);
    if (strncmp(command, "other", 5) == 0) {
        if (mp_set_executable(first, NULL) < 0)
            return fprintf(stderr, "%s\n", mp_last_error()), 1;
        run_both(gives, multiplies);
        return 0;
    }
    if (strcmp(command, "own") != 0 && strcmp(command, "remove") != 0 && strcmp(command, "rename") != 0)
        return went_on();
    run_both(child_gives, multiplies);
    return 0;
}
