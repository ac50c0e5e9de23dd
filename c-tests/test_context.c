/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Contexts and the names of start methods. */
#include "test_util.h"

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
