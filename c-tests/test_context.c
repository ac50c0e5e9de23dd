/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Contexts and the names of start methods. */
#include "test_util.h"

#include <stdio.h>
#include <string.h>

static const int methods[] = {MP_START_FORK, MP_START_SPAWN, MP_START_FORKSERVER};

TEST(context, start_methods)
{
    int all[4] = {0}, method = 0;
    size_t n = 0, i;

    CHECK_OK(mp_get_all_start_methods(all, 4, &n));
    CHECK_INT(n, 3);
    CHECK_STATUS(mp_get_all_start_methods(all, 2, &n), MP_ERR_TOO_SMALL);
    CHECK_STATUS(mp_get_all_start_methods(NULL, 2, &n), MP_ERR_INVALID);
    CHECK_STATUS(mp_get_all_start_methods(NULL, 0, NULL), MP_ERR_TOO_SMALL);
    for (i = 0; i < 3; i++) {
        CHECK_INT(all[i], methods[i]);
        CHECK_OK(mp_start_method_from_name(mp_start_method_name(all[i]), &method));
        CHECK_INT(method, all[i]);
    }
    CHECK(strcmp(mp_start_method_name(MP_START_FORKSERVER), "forkserver") == 0);
    CHECK_NULL(mp_start_method_name(MP_START_DEFAULT));
    CHECK_NULL(mp_start_method_name(4));
    CHECK_STATUS(mp_start_method_from_name("thread", &method), MP_ERR_INVALID);
    CHECK_STATUS(mp_start_method_from_name(NULL, &method), MP_ERR_INVALID);
    CHECK_STATUS(mp_start_method_from_name("fork", NULL), MP_ERR_INVALID);
}

/* Set once, or by force; by force it can be unset. */
TEST(context, default_method)
{
    CHECK_OK(mp_set_start_method(MP_START_DEFAULT, true));
    CHECK_INT(mp_get_start_method(), MP_START_FORK);
    CHECK_OK(mp_set_start_method(MP_START_SPAWN, false));
    CHECK_STATUS(mp_set_start_method(MP_START_FORK, false), MP_ERR_STATE);
    CHECK_INT(mp_get_start_method(), MP_START_SPAWN);
    CHECK_OK(mp_set_start_method(MP_START_FORKSERVER, true));
    CHECK_INT(mp_get_start_method(), MP_START_FORKSERVER);
}

static int adds(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 1), MP_FOREVER));
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 0), 1, NULL));
    CHECK_OK(mp_lock_release(mp_child_lock(self, 1)));
    return 5;
}

static void square(mp_task *task, void *user)
{
    int64_t x;

    CHECK(user == NULL);
    memcpy(&x, mp_task_input(task, NULL), sizeof x);
    x *= x;
    mp_task_return(task, &x, sizeof x);
}

/* The same objects go to children of all contexts. */
TEST(context, mixed)
{
    static const char *const names[] = {"ForkProcess-1", "SpawnProcess-2", "ForkServerProcess-3"};
    mp_value *count = flag_new();
    mp_lock *lock = lock_new();
    int before = mp_get_start_method();
    size_t i;

    for (i = 0; i < 3; i++) {
        mp_process_options o = MP_PROCESS_OPTIONS;
        mp_pool_options po = MP_POOL_OPTIONS;
        int64_t in[4] = {1, 2, 3, 4}, out[4];
        int method = 0;
        mp_context *c;
        mp_process *p;
        mp_pool *pool;

        CHECK_OK(mp_context_new(&c, methods[i]));
        CHECK_OK(mp_context_start_method(c, &method));
        CHECK_INT(method, methods[i]);
        CHECK_STATUS(mp_context_start_method(c, NULL), MP_ERR_INVALID);
        o.context = po.context = c;
        po.workers = 2;
        CHECK_OK(mp_process_new(&p, adds, NULL, &o));
        CHECK(strcmp(mp_process_name(p), names[i]) == 0);
        CHECK_OK(mp_process_add_handle(p, count));
        CHECK_OK(mp_process_add_handle(p, lock));
        CHECK_OK(mp_process_start(p));
        CHECK_INT(child_end(p), 5);
        if (i == 2) { /* The workers take numbers, too. */
            CHECK_OK(mp_pool_new(&pool, &po));
            CHECK_OK(mp_pool_map_array(pool, square, NULL, in, 8, 4, out, 8, NULL));
            CHECK_INT(out[3], 16);
            CHECK_OK(mp_pool_free(pool));
        }
        o.start_method = MP_START_FORK;
        CHECK_STATUS(mp_process_new(&p, adds, NULL, &o), MP_ERR_INVALID);
        po.start_method = MP_START_FORK;
        CHECK_STATUS(mp_pool_new(&pool, &po), MP_ERR_INVALID);
        CHECK_OK(mp_context_free(c));
        o.start_method = MP_START_DEFAULT;
        CHECK_STATUS(mp_process_new(&p, adds, NULL, &o), MP_ERR_BAD_HANDLE);
        CHECK_STATUS(mp_context_free(c), MP_ERR_BAD_HANDLE);
    }
    CHECK_INT(mp_get_start_method(), before);
    CHECK_INT(flag_get(count), 3);
    if (strcmp(test_start_method(), "forkserver") != 0)
        CHECK_OK(mp_forkserver_stop());
    CHECK_OK(mp_value_free(count));
    CHECK_OK(mp_lock_free(lock));
}

/* ---- another executable ---- */

static mp_context *runs(const char *path, const char *const *argv)
{
    mp_context *c;

    CHECK_OK(mp_context_new_executable(&c, path, argv));
    return c;
}

static int returns_5(mp_child *self, void *user)
{
    CHECK(user == NULL);
    return 5 + (int)mp_child_count(self);
}

static mp_process *child_of(mp_context *c, mp_function target)
{
    mp_process_options o = MP_PROCESS_OPTIONS;

    o.context = c;
    return child_new((mp_process_fn)target, &o);
}

static void cannot_run(const char *path, int status, const char *text)
{
    mp_context *c = runs(path, NULL);
    mp_process *p = child_of(c, (mp_function)returns_5);
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool = NULL;

    CHECK_SENTENCE(mp_process_start(p), status, text);
    o.context = c;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), status, text);
    CHECK(pool == NULL);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_context_free(c));
}

TEST(context, executables_that_cannot_be_run)
{
    mp_context *c = NULL;

    CHECK_STATUS(mp_context_new_executable(&c, NULL, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_context_new_executable(NULL, "/bin/true", NULL), MP_ERR_INVALID);
    CHECK_NULL(c);
    cannot_run("/bin/true", MP_ERR_NOT_INITIALIZED, "before it called mp_bootstrap");
    cannot_run("/nowhere/at/all", MP_ERR_OS, "cannot run the executable");
}

static void executable_is_its_contexts(void)
{
    static const char *const argv[] = {"itself", NULL};
    mp_context *c = runs("/proc/self/exe", argv);
    int64_t in[2] = {6, 7}, out[2] = {0};
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_process *p;
    char path[64];
    mp_pool *pool;
    int method = 0;

    CHECK_OK(mp_context_start_method(c, &method));
    CHECK_INT(method, MP_START_SPAWN);
    p = child_of(c, (mp_function)returns_5);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 5);
    o.workers = 2;
    o.context = c;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_context_free(c));
    CHECK_OK(mp_pool_map_array(pool, square, NULL, in, 8, 2, out, 8, NULL));
    CHECK_INT(out[1], 49);
    CHECK_OK(mp_pool_free(pool));
    CHECK_OK(mp_get_executable(path, sizeof path, NULL));
    check_same_text(path, "/proc/self/exe");
}

TEST(context, executable)
{
    executable_is_its_contexts();
}

/* Whoever sees to it that the executable's main begins with mp_bootstrap need not call it. */
TEST_COLD(context, executable_without_mp_bootstrap)
{
    executable_is_its_contexts();
}

TEST(context, server_of_another_executable)
{
    mp_context *c = runs("/proc/self/exe", NULL);
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;

    o.context = c;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    CHECK_OK(mp_manager_free(m));
    o.context = runs("/bin/true", NULL);
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_SENTENCE(mp_manager_start(m), MP_ERR_NOT_INITIALIZED, "before it called mp_bootstrap");
    CHECK_OK(mp_manager_free(m));
    CHECK_OK(mp_context_free((mp_context *)o.context));
    CHECK_OK(mp_context_free(c));
}

/* ---- functions that only another executable has ---- */

static mp_function target_of(const char *name)
{
    mp_function f = NULL;

    CHECK_OK(mp_get_target(name, &f));
    CHECK(f != NULL);
    return f;
}

TEST(context, targets)
{
    mp_function f = NULL;
    char name[257];

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    CHECK_STATUS(mp_get_target(name, &f), MP_ERR_INVALID);
    CHECK_STATUS(mp_get_target("", &f), MP_ERR_INVALID);
    CHECK_STATUS(mp_get_target(NULL, &f), MP_ERR_INVALID);
    CHECK_STATUS(mp_get_target("here", NULL), MP_ERR_INVALID);
    CHECK(f == NULL);
    CHECK_OK(mp_register_target("here", (mp_function)square));
    CHECK(target_of("here") == (mp_function)square);
    f = target_of("elsewhere");
    CHECK(target_of("elsewhere") == f && target_of("elsewhere, too") != f);
    CHECK_STATUS(mp_register_target("elsewhere", (mp_function)square), MP_ERR_STATE);
}

/* Nobody jumps to what stands for a function, wherever it is handed in. */
TEST(context, targets_are_not_called)
{
    static const char *const missing[] = {"has no function elsewhere", "has not registered the name",
                                          "has not registered the name"};
    mp_function f = target_of("elsewhere");
    size_t i;

    for (i = 0; i < 3; i++) {
        int64_t in = 1, out;
        mp_pool_options o = MP_POOL_OPTIONS;
        mp_context *c;
        mp_process *p;
        mp_pool *pool;
        int code;

        CHECK_OK(mp_context_new(&c, methods[i]));
        p = child_of(c, f);
        CHECK_SENTENCE(mp_process_start(p), MP_ERR_UNKNOWN_TARGET, missing[i]);
        CHECK_SENTENCE(mp_process_run(p, &code), MP_ERR_UNKNOWN_TARGET, "has no function elsewhere");
        CHECK_OK(mp_process_free(p));
        o.context = c;
        o.workers = 1;
        CHECK_OK(mp_pool_new(&pool, &o));
        CHECK_STATUS(mp_pool_map_array(pool, (mp_task_fn)f, NULL, &in, 8, 1, &out, 8, NULL),
                     MP_ERR_UNKNOWN_TARGET);
        CHECK_OK(mp_pool_map_array(pool, square, NULL, &in, 8, 1, &out, 8, NULL));
        CHECK_OK(mp_pool_free(pool));
        CHECK_OK(mp_context_free(c));
    }
    if (strcmp(test_start_method(), "forkserver") != 0)
        CHECK_OK(mp_forkserver_stop());
}

static int asks_for_too_many(void *unused)
{
    char name[16];
    mp_function f;
    int i;

    CHECK(unused == NULL);
    for (i = 0; i < 1024; i++) {
        snprintf(name, sizeof name, "f%d", i);
        CHECK(target_of(name) != NULL);
    }
    CHECK_STATUS(mp_get_target("one more", &f), MP_ERR_NO_MEMORY);
    CHECK(target_of("f1023") == target_of(name));
    return 3;
}

TEST(context, most_targets)
{
    CHECK_INT(in_fork(asks_for_too_many, NULL), 3);
}

static int uses_parents_context(void *c)
{
    int method;

    CHECK_STATUS(mp_context_start_method(c, &method), MP_ERR_STATE);
    CHECK_STATUS(mp_context_free(c), MP_ERR_STATE);
    return 0;
}

TEST(context, misuse)
{
    mp_context *c = NULL;

    CHECK_STATUS(mp_context_new(NULL, MP_START_FORK), MP_ERR_INVALID);
    CHECK_STATUS(mp_context_new(&c, 4), MP_ERR_INVALID);
    CHECK_STATUS(mp_context_new(&c, -1), MP_ERR_INVALID);
    CHECK_OK(mp_context_new(&c, MP_START_DEFAULT));
    CHECK_INT(in_fork(uses_parents_context, c), 0);
    CHECK_OK(mp_context_free(c));
    CHECK_OK(mp_context_free(NULL));
}
