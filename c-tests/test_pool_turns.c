/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tasks that are tried again, that go first, that are never begun; and what a pool says of itself. */
#include "test_pool_stop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- once more ---- */

/* A file that grows by a byte with each try, whatever started the workers. */
static char tries_path[64];

static long tries_so_far(const char *path)
{
    char bytes[64];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);

    CHECK(n >= 0);
    if (fd >= 0)
        close(fd);
    return n;
}

static void dies_twice(mp_task *task, void *user)
{
    const char *path = mp_task_input(task, NULL);
    int64_t result = (int64_t)mp_task_index(task);
    int fd;

    (void)user;
    if (*path != 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        CHECK(fd >= 0 && write(fd, "x", 1) == 1);
        close(fd);
        if (tries_so_far(path) <= 2)
            raise(SIGKILL);
    }
    CHECK_OK(mp_task_return(task, &result, sizeof result));
}

static void tried(unsigned retries, size_t chunk, bool fixed)
{
    enum { N = 12, AT = 5 };
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    char in[N][64];
    mp_bytes items[N];
    mp_buffer *out[N];
    int64_t numbers[N], i;
    int s, want = retries >= 2 ? MP_OK : MP_ERR_WORKER_DIED;

    memset(in, 0, sizeof in);
    snprintf(tries_path, sizeof tries_path, "/tmp/mp-tries-%d", (int)getpid());
    unlink(tries_path);
    memcpy(in[AT], tries_path, sizeof tries_path);
    for (i = 0; i < N; i++) {
        items[i].data = in[i];
        items[i].len = sizeof in[i];
    }
    o.retries = retries;
    o.chunk = chunk;
    s = fixed ? mp_pool_map_array(pool, dies_twice, NULL, in, sizeof *in, N, numbers, 8, &o)
              : mp_pool_map(pool, dies_twice, NULL, items, N, out, &o);
    CHECK_INT(s, want);
    CHECK_INT(tries_so_far(tries_path), retries + 1);
    for (i = 0; i < N; i++) {
        if (!fixed && out[i] != NULL) {
            memcpy(&numbers[i], mp_buffer_data(out[i], NULL), 8);
            CHECK_OK(mp_buffer_free(out[i]));
        }
        if (want == MP_OK)
            CHECK_INT(numbers[i], i);
    }
    CHECK(unlink(tries_path) == 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, retries)
{
    size_t chunk;

    for (chunk = 0; chunk <= 8; chunk += 4) {
        tried(2, chunk, true);
        tried(2, chunk, false);
        tried(0, chunk, false);
        tried(1, chunk, true);
    }
}

/* ---- who goes first ---- */

typedef struct sequence {
    int next, order[40];
} sequence;

typedef struct place {
    sequence *all;
    int number;
} place;

static void notes_its_place(mp_result *result, void *user)
{
    place *p = user;

    (void)result;
    p->all->order[p->all->next++] = p->number;
}

/* What does not lie ahead of the worker yet comes in the order of its priority. */
TEST(stop, priorities)
{
    mp_async_options o = MP_ASYNC_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *first;
    sequence all;
    place places[40];
    order q = {QUICK, 1};
    int i, from;

    memset(&all, 0, sizeof all);
    first = stop_begin(pool, NAP, 300, NULL);
    CHECK(wait_until(stop_runs_one, pool));
    for (i = 0; i < 40; i++) {
        places[i].all = &all;
        places[i].number = i;
        o.priority = i % 4 - 2;
        o.done = notes_its_place;
        o.user = &places[i];
        CHECK_OK(mp_pool_apply_async(pool, stop_obeys, NULL, &q, sizeof q, NULL, &o, NULL));
    }
    CHECK_OK(mp_pool_close(pool));
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    CHECK_INT(all.next, 40);
    /* A few were ahead of the worker before the others came. */
    for (from = 4; from < 40; from++) {
        int before = all.order[from - 1] % 4, now = all.order[from] % 4;

        if (from > 4)
            CHECK(now < before || (now == before && all.order[from] > all.order[from - 1]));
    }
    CHECK_OK(mp_result_free(first));
    CHECK_OK(mp_pool_free(pool));
}

/* ---- as an executor ---- */

TEST(stop, shutdown_does_what_is_pending)
{
    mp_pool *pool = pool_new(2);
    mp_result *results[20];
    size_t i;

    for (i = 0; i < COUNT(results); i++)
        results[i] = stop_begin(pool, NAP, 10, NULL);
    CHECK_OK(mp_pool_shutdown(pool, false, MP_FOREVER));
    for (i = 0; i < COUNT(results); i++) {
        CHECK_OK(mp_result_get(results[i], MP_NO_WAIT, NULL));
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK_STATUS(mp_pool_apply(pool, square, NULL, &i, sizeof i, NULL, NULL), MP_ERR_STATE);
    CHECK_OK(mp_pool_free(pool));
}

/* What runs goes on to its end; what waits never begins. */
TEST(stop, shutdown_cancels_what_is_pending)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *running = stop_begin(pool, NAP, 200, NULL), *results[20], *map;
    order in[50];
    size_t i;

    CHECK(wait_until(stop_runs_one, pool));
    for (i = 0; i < COUNT(results); i++)
        results[i] = stop_begin(pool, QUICK, 10, NULL);
    memset(in, 0, sizeof in);
    o.chunk = 1;
    CHECK_OK(mp_pool_map_array_async(pool, stop_obeys, NULL, in, sizeof *in, COUNT(in), 8, &o, NULL, &map));
    CHECK_STATUS(mp_pool_shutdown(pool, true, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_pool_shutdown(pool, true, MP_FOREVER));
    CHECK_OK(mp_result_get(running, MP_NO_WAIT, NULL));
    for (i = 0; i < COUNT(results); i++) {
        CHECK_SENTENCE(mp_result_get(results[i], MP_FOREVER, NULL), MP_ERR_CANCELLED, "shut down");
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK_STATUS(mp_result_get(map, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_INT(stop_stats(pool).done, 1);
    CHECK_OK(mp_result_free(map));
    CHECK_OK(mp_result_free(running));
    CHECK_OK(mp_pool_free(pool));
}

/* ---- numbers ---- */

TEST(stop, statistics)
{
    mp_pool_stats bad = MP_POOL_STATS, s;
    mp_worker_stats w = MP_WORKER_STATS;
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    uint64_t tasks = 0, busy = 0;
    pid_t pids[2];
    size_t i;

    s = stop_stats(pool);
    CHECK(s.workers == 2 && s.queued == 0 && s.running == 0 && s.done == 0);
    o.chunk = 10;
    check_squares(pool, 200, &o);
    s = stop_stats(pool);
    CHECK(s.done == 20 && s.failed == 0 && s.died == 0 && s.replaced == 0 && s.queued == 0);
    pool_pids(pids, 2);
    for (i = 0; i < 2; i++) {
        CHECK_OK(mp_pool_worker_stats(pool, i, &w));
        CHECK(w.pid == pids[0] || w.pid == pids[1] || strcmp(test_start_method(), "fork") != 0);
        CHECK(!w.running);
        tasks += w.tasks;
        busy += w.busy;
    }
    CHECK_INT(tasks, 20);
    CHECK(busy > 0 && busy == s.busy);
    CHECK_STATUS(mp_pool_worker_stats(pool, 2, &w), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_worker_stats(pool, 0, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_stats_get(pool, NULL), MP_ERR_INVALID);
    bad.size = 3;
    CHECK_STATUS(mp_pool_stats_get(pool, &bad), MP_ERR_INVALID);
    CHECK_OK(mp_pool_stats_init(&bad, sizeof bad));
    CHECK_INT(bad.size, sizeof bad);
    CHECK_STATUS(mp_pool_stats_init(NULL, sizeof(mp_pool_stats)), MP_ERR_INVALID);
    CHECK_OK(mp_worker_stats_init(&w, sizeof w));
    CHECK_INT(w.size, sizeof w);
    CHECK_STATUS(mp_worker_stats_init(NULL, sizeof(mp_worker_stats)), MP_ERR_INVALID);
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, description)
{
    mp_pool *pool = pool_new(2);
    char text[64];
    size_t len;

    CHECK_OK(mp_pool_describe(pool, text, sizeof text, &len));
    CHECK(strcmp(text, "<Pool state=RUN pool_size=2>") == 0);
    CHECK_INT(len, strlen(text) + 1);
    CHECK_STATUS(mp_pool_describe(pool, text, 5, &len), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_pool_close(pool));
    CHECK_OK(mp_pool_describe(pool, text, sizeof text, NULL));
    CHECK(strcmp(text, "<Pool state=CLOSE pool_size=2>") == 0);
    CHECK_OK(mp_pool_terminate(pool));
    CHECK_OK(mp_pool_describe(pool, text, sizeof text, NULL));
    CHECK(strcmp(text, "<Pool state=TERMINATE pool_size=2>") == 0);
    CHECK_OK(mp_pool_free(pool));
}

/* All at once, with work at hand. */
TEST(stop, all_busy_workers_killed_at_once)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(3);
    mp_result *result;
    mp_buffer *value;
    order in[30];
    pid_t pids[3];
    size_t i;

    check_squares(pool, 10, NULL);
    pool_pids(pids, 3);
    for (i = 0; i < COUNT(in); i++) {
        in[i].what = NAP;
        in[i].x = 30;
    }
    o.run_all = true;
    CHECK_OK(mp_pool_map_array_async(pool, stop_obeys, NULL, in, sizeof *in, COUNT(in), 8, &o, NULL, &result));
    sleep_ms(50);
    for (i = 0; i < 3; i++)
        CHECK(signal_child(pids[i], SIGKILL));
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, &value), MP_ERR_WORKER_DIED, "SIGKILL");
    CHECK(stop_stats(pool).died <= 3 && stop_stats(pool).done >= 27);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}
