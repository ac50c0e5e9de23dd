/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: initializers, workers that are replaced after their share, names. */
#include "test_pool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- initializers ---- */

static char greeting[32];
static size_t number = 99;

static void keeps_its_bytes(mp_task *task, void *user)
{
    size_t len;
    const char *data = mp_task_input(task, &len);

    CHECK(user == NULL);
    CHECK(len < sizeof greeting);
    memcpy(greeting, data, len);
    number = mp_task_index(task);
    CHECK_OK(mp_task_return(task, "ignored", 7));
    CHECK(!mp_task_cancelled(task));
}

static void tells_what_it_kept(mp_task *task, void *user)
{
    (void)user;
    CHECK(number < 2);
    CHECK_OK(mp_task_return(task, greeting, strlen(greeting)));
}

TEST(pool, initializer_runs_first_in_each_worker)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_bytes in[20];
    mp_buffer *out[20];
    char bytes[] = "good morning";
    mp_pool *pool;
    pid_t pids[2];
    size_t round, i, len;

    o.workers = 2;
    o.initializer = keeps_its_bytes;
    o.initializer_data = bytes;
    o.initializer_len = strlen(bytes);
    CHECK_OK(mp_pool_new(&pool, &o));
    /* They were copied. */
    memset(bytes, 0, sizeof bytes);
    memset(in, 0, sizeof in);
    for (round = 0; round < 3; round++) {
        CHECK_OK(mp_pool_map(pool, tells_what_it_kept, NULL, in, COUNT(in), out, NULL));
        for (i = 0; i < COUNT(out); i++) {
            const char *data = mp_buffer_data(out[i], &len);

            CHECK(len == 12 && memcmp(data, "good morning", 12) == 0);
            CHECK_OK(mp_buffer_free(out[i]));
        }
        /* So it is with those that come later. */
        pool_pids(pids, 2);
        CHECK(signal_child(pids[round % 2], SIGKILL));
        CHECK(wait_until(gone, &pids[round % 2]));
    }
    CHECK_OK(mp_pool_free(pool));
}

static void has_no_database(mp_task *task, void *user)
{
    (void)user;
    CHECK_OK(mp_task_fail(task, "there is no database"));
}

static int no_items(mp_bytes *item, void *user)
{
    (void)item;
    (void)user;
    return 0;
}

TEST(pool, failing_initializer_breaks_the_pool_once)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    int64_t in[50] = {0}, out[50];
    mp_buffer *result;
    mp_imap *imap;
    mp_pool *pool;
    int i;

    o.workers = 3;
    o.initializer = has_no_database;
    CHECK_OK(mp_pool_new(&pool, &o));
    for (i = 0; i < 3; i++) {
        CHECK_SENTENCE(mp_pool_map_array(pool, square, NULL, in, 8, 50, out, 8, NULL),
                       MP_ERR_TASK_FAILED, "the initializer failed in worker");
        CHECK_CONTAINS(mp_last_error(), "there is no database");
        CHECK_STATUS(mp_pool_apply(pool, square, NULL, in, 8, &result, NULL), MP_ERR_TASK_FAILED);
        CHECK_STATUS(mp_pool_imap(pool, square, NULL, no_items, NULL, NULL, &imap), MP_ERR_TASK_FAILED);
    }
    CHECK_OK(mp_pool_free(pool));
}

static void falls(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    raise(SIGKILL);
}

TEST(pool, initializer_that_dies_breaks_the_pool)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    int64_t in[50] = {0}, out[50];
    mp_pool *pool;

    o.workers = 2;
    o.initializer = falls;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_SENTENCE(mp_pool_map_array(pool, square, NULL, in, 8, 50, out, 8, NULL), MP_ERR_WORKER_DIED,
                   "died in the initializer");
    CHECK_SENTENCE(mp_pool_map_array(pool, square, NULL, in, 8, 50, out, 8, NULL), MP_ERR_WORKER_DIED,
                   "SIGKILL");
    CHECK_OK(mp_pool_free(pool));
}

static void needs_its_pointer(mp_task *task, void *user)
{
    int *number_of = user;

    (void)task;
    CHECK_INT(*number_of, 42);
}

TEST(pool, initializers_pointer)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    int here = 42;
    mp_pool *pool;

    o.workers = 1;
    o.initializer = needs_its_pointer;
    o.initializer_user = &here;
    if (strcmp(test_start_method(), "fork") == 0) {
        CHECK_OK(mp_pool_new(&pool, &o));
        check_squares(pool, 10, NULL);
        CHECK_OK(mp_pool_free(pool));
    } else {
        CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_UNSUPPORTED);
    }
}

TEST(pool, initializer_without_its_bytes)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    o.initializer = keeps_its_bytes;
    o.initializer_len = 3;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_INVALID);
}

/* ---- a worker's share ---- */

static void tells_its_pid(mp_task *task, void *user)
{
    pid_t pid = getpid();

    (void)user;
    CHECK_OK(mp_task_return(task, &pid, sizeof pid));
}

static size_t different(const pid_t *pids, size_t n)
{
    size_t i, k, count = 0;

    for (i = 0; i < n; i++) {
        for (k = 0; k < i && pids[k] != pids[i]; k++)
            ;
        count += k == i;
    }
    return count;
}

static mp_pool *pool_of_shares(size_t workers, size_t tasks, size_t bytes)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    o.workers = workers;
    o.max_tasks = tasks;
    o.max_memory = bytes;
    CHECK_OK(mp_pool_new(&pool, &o));
    return pool;
}

TEST(pool, worker_leaves_after_its_share_of_tasks)
{
    mp_map_options o = MP_MAP_OPTIONS;
    pid_t pids[6];
    mp_pool *pool;

    /* Tasks are counted, not items. */
    pool = pool_of_shares(1, 2, 0);
    o.chunk = 1;
    CHECK_OK(mp_pool_map_array(pool, tells_its_pid, NULL, NULL, 0, 6, pids, sizeof *pids, &o));
    CHECK_INT(different(pids, 6), 3);
    CHECK_OK(mp_pool_free(pool));
    pool = pool_of_shares(1, 2, 0);
    o.chunk = 3;
    CHECK_OK(mp_pool_map_array(pool, tells_its_pid, NULL, NULL, 0, 6, pids, sizeof *pids, &o));
    CHECK_INT(different(pids, 6), 1);
    CHECK_OK(mp_pool_free(pool));
}

/* Without a share a worker stays for as long as the pool: no task has a process of its own. */
TEST(pool, workers_live_on)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_of_shares(2, 0, 0);
    pid_t pids[200], workers[2];
    int round, i;

    pool_pids(workers, 2);
    o.chunk = 1;
    for (round = 0; round < 5; round++) {
        CHECK_OK(mp_pool_map_array(pool, tells_its_pid, NULL, NULL, 0, COUNT(pids), pids, sizeof *pids, &o));
        for (i = 0; i < (int)COUNT(pids); i++)
            CHECK(pids[i] == workers[0] || pids[i] == workers[1]);
    }
    CHECK_OK(mp_pool_free(pool));
}

/* Nothing is lost between a worker that leaves and the one in its place. */
TEST_T(pool, many_tasks_of_workers_that_leave, 90)
{
    mp_pool *pool = pool_of_shares(3, 5, 0);
    mp_map_options o = MP_MAP_OPTIONS;
    int i;

    o.chunk = 1;
    for (i = 0; i < 4; i++)
        check_squares(pool, 100, &o);
    CHECK_OK(mp_pool_free(pool));
}

enum { LEAK = 16 << 20 };

static void leaks(mp_task *task, void *user)
{
    volatile char *bytes = malloc(LEAK);
    size_t i;

    CHECK(bytes != NULL);
    for (i = 0; i < LEAK; i += 512)
        bytes[i] = 1;
    tells_its_pid(task, user);
    if (mp_task_index(task) % 2 == 1)
        free((void *)bytes);
}

static void is_modest(mp_task *task, void *user)
{
    tells_its_pid(task, user);
}

TEST(pool, worker_leaves_when_it_has_grown)
{
    mp_map_options o = MP_MAP_OPTIONS;
    pid_t pids[8];
    mp_pool *pool = pool_of_shares(1, 0, LEAK / 2);

    o.chunk = 1;
    CHECK_OK(mp_pool_map_array(pool, leaks, NULL, NULL, 0, 8, pids, sizeof *pids, &o));
    /* The first one leaves after its only item, the others each after two. */
    CHECK_INT(different(pids, 8), 5);
    CHECK_OK(mp_pool_map_array(pool, is_modest, NULL, NULL, 0, 8, pids, sizeof *pids, &o));
    CHECK_INT(different(pids, 8), 1);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- names ---- */

static void tells_its_name(mp_task *task, void *user)
{
    const char *name = mp_process_name(mp_current_process());

    (void)user;
    CHECK_OK(mp_task_return(task, name, strlen(name)));
}

static void is_named(const char *prefix, const char *want)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_buffer *name;
    mp_pool *pool;
    size_t len;

    o.workers = 1;
    o.name = prefix;
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_pool_apply(pool, tells_its_name, NULL, NULL, 0, &name, NULL));
    {
        const char *text = mp_buffer_data(name, &len);

        CHECK(len > strlen(want) && memcmp(text, want, strlen(want)) == 0);
    }
    CHECK_OK(mp_buffer_free(name));
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, names_of_workers)
{
    const char *method = test_start_method();

    is_named("baker", "baker-");
    is_named(NULL, strcmp(method, "fork") == 0    ? "ForkPoolWorker-"
                   : strcmp(method, "spawn") == 0 ? "SpawnPoolWorker-"
                                                  : "ForkServerPoolWorker-");
}

/* ---- apply ---- */

TEST(pool, apply)
{
    mp_apply_options o = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(2);
    int64_t x, y;
    size_t len;

    for (x = 0; x < 100; x++) {
        mp_buffer *result;

        CHECK_OK(mp_pool_apply(pool, square, NULL, &x, sizeof x, &result, x % 2 == 0 ? NULL : &o));
        memcpy(&y, mp_buffer_data(result, &len), sizeof y);
        CHECK_INT(len, sizeof y);
        CHECK_INT(y, x * x);
        CHECK_OK(mp_buffer_free(result));
    }
    CHECK_OK(mp_pool_apply(pool, square, NULL, &x, sizeof x, NULL, NULL));
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_pool_free(pool));
}

static void naps_long(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    sleep_ms(60000);
}

TEST(pool, apply_gives_up_in_time)
{
    mp_apply_options o = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_buffer *result;

    o.timeout = MP_MS(50);
    CHECK_STATUS(mp_pool_apply(pool, naps_long, NULL, NULL, 0, &result, &o), MP_ERR_TIMEOUT);
    o.timeout = MP_NO_WAIT;
    CHECK_STATUS(mp_pool_apply(pool, square, NULL, NULL, 0, &result, &o), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_pool_apply(pool, NULL, NULL, NULL, 0, &result, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_apply(pool, square, NULL, NULL, 1, &result, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- the end ---- */

TEST(pool, close_and_join)
{
    int64_t in[10] = {0}, out[10];
    mp_pool *pool = pool_new(3);
    mp_buffer *result;
    mp_imap *imap;
    pid_t pids[3];
    size_t i;

    check_squares(pool, 100, NULL);
    pool_pids(pids, 3);
    CHECK_STATUS(mp_pool_join(pool, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_pool_close(pool));
    CHECK_OK(mp_pool_close(pool));
    CHECK_SENTENCE(mp_pool_map_array(pool, square, NULL, in, 8, 10, out, 8, NULL), MP_ERR_STATE,
                   "closed");
    CHECK_STATUS(mp_pool_map_array(pool, square, NULL, in, 8, 0, out, 8, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_pool_apply(pool, square, NULL, in, 8, &result, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_pool_imap(pool, square, NULL, no_items, NULL, NULL, &imap), MP_ERR_STATE);
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    CHECK_OK(mp_pool_join(pool, MP_NO_WAIT));
    for (i = 0; i < 3; i++)
        CHECK(process_gone(pids[i]));
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, join_in_time)
{
    mp_apply_options o = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(2);
    pid_t pids[2];

    o.timeout = MP_MS(50);
    CHECK_STATUS(mp_pool_apply(pool, naps_long, NULL, NULL, 0, NULL, &o), MP_ERR_TIMEOUT);
    pool_pids(pids, 2);
    CHECK_OK(mp_pool_close(pool));
    CHECK_STATUS(mp_pool_join(pool, MP_MS(50)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_pool_terminate(pool));
    CHECK(process_gone(pids[0]) && process_gone(pids[1]));
    CHECK_OK(mp_pool_join(pool, MP_NO_WAIT));
    CHECK_OK(mp_pool_terminate(pool));
    CHECK_STATUS(mp_pool_apply(pool, square, NULL, NULL, 0, NULL, NULL), MP_ERR_STATE);
    CHECK_OK(mp_pool_free(pool));
}
