/* libmp as a plugin host has it: dlopen(library), use, dlclose, and use of what it made before. */
#include <dlfcn.h>
#include <mp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD(name) __typeof__(&name) p_##name = (__typeof__(&name))symbol(library, #name, version)

static __typeof__(&mp_task_input) task_input;
static __typeof__(&mp_task_return) task_return;
static __typeof__(&mp_lock_release) lock_release;
static __typeof__(&mp_last_error) last_error;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* The symbol is there under the version that it has in libmp.map. */
static void *symbol(void *library, const char *name, const char *version)
{
    void *found = dlvsym(library, name, version);

    if (found == NULL)
        fail(dlerror());
    return found;
}

static void square(mp_task *task, void *user)
{
    const int64_t *x = task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    task_return(task, &y, sizeof y);
}

/* A thread that fails has a sentence of its own, which is freed by the library when the thread ends. */
static void *over_release(void *lock)
{
    if (lock_release(lock) != MP_ERR_OVER_RELEASE || strstr(last_error(), "mp_lock_release") == NULL)
        fail("no over-release");
    return NULL;
}

int main(int argc, char **argv)
{
    const char *version = argc == 3 ? argv[2] : "";
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int64_t in[] = {1, 2, 3}, out[3] = {0, 0, 0};
    mp_pool *pool;
    mp_lock *lock;
    pthread_t thread;
    int i;

    if (library == NULL)
        fail(argc == 3 ? dlerror() : "usage: dlopen LIBRARY VERSION");
    LOAD(mp_bootstrap);
    LOAD(mp_pool_new);
    LOAD(mp_pool_map_array);
    LOAD(mp_pool_free);
    LOAD(mp_lock_new);
    LOAD(mp_lock_acquire);
    LOAD(mp_lock_free);
    task_input = (__typeof__(task_input))symbol(library, "mp_task_input", version);
    task_return = (__typeof__(task_return))symbol(library, "mp_task_return", version);
    lock_release = (__typeof__(lock_release))symbol(library, "mp_lock_release", version);
    last_error = (__typeof__(last_error))symbol(library, "mp_last_error", version);
    if (p_mp_bootstrap(argc, argv) < 0 || p_mp_pool_new(&pool, NULL) < 0 || p_mp_lock_new(&lock, NULL) < 0)
        fail(last_error());

    /* Often: a reference count must not run out. */
    for (i = 0; i < 10; i++) {
        if (pthread_create(&thread, NULL, over_release, lock) != 0)
            fail("no thread");
        if (dlclose(library) != 0)
            fail(dlerror());
        if (pthread_join(thread, NULL) != 0)
            fail("no join");
        if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) != library)
            fail("it was unloaded");
    }
    dlclose(library);
    if (p_mp_lock_acquire(lock, MP_FOREVER) < 0 || lock_release(lock) < 0 || p_mp_lock_free(lock) < 0 ||
        p_mp_pool_map_array(pool, square, NULL, in, sizeof *in, 3, out, sizeof *out, NULL) < 0 ||
        p_mp_pool_free(pool) < 0)
        fail(last_error());
    return out[0] == 1 && out[1] == 4 && out[2] == 9 ? 0 : 1;
}
