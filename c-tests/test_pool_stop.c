/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tasks that are stopped: by cancel, by a limit, by a timeout; that are tried again; that go first. */
#include "test_pool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What tasks and the test see of each other, whatever started the workers: input of each task. */
typedef struct order {
    int64_t what, x;
} order;

enum { QUICK, ENDLESS, STUBBORN, ATTENTIVE, NAP };

static void obeys(mp_task *task, void *user)
{
    const order *o = mp_task_input(task, NULL);
    int64_t result = o->x * o->x;

    (void)user;
    switch (o->what) {
    case STUBBORN: signal(SIGTERM, SIG_IGN); /* fall through */
    case ENDLESS:
        for (;;)
            sleep_ms(1000);
    case ATTENTIVE:
        while (!mp_task_cancelled(task))
            sleep_ms(1);
        break;
    case NAP: sleep_ms(o->x); break;
    default: break;
    }
    CHECK_OK(mp_task_return(task, &result, sizeof result));
}

static mp_result *begin(mp_pool *pool, int64_t what, int64_t x, const mp_apply_options *a)
{
    order o;
    mp_result *result;

    o.what = what;
    o.x = x;
    CHECK_OK(mp_pool_apply_async(pool, obeys, NULL, &o, sizeof o, a, NULL, &result));
    return result;
}

static bool runs_one(void *pool)
{
    mp_pool_stats s = MP_POOL_STATS;

    CHECK_OK(mp_pool_stats_get(pool, &s));
    return s.running == 1;
}

static mp_pool_stats stats_of(mp_pool *pool)
{
    mp_pool_stats s = MP_POOL_STATS;

    CHECK_OK(mp_pool_stats_get(pool, &s));
    return s;
}

/* ---- cancel ---- */

/* What waits behind an endless task is never begun. */
TEST(stop, cancel_of_what_waits)
{
    mp_pool *pool = pool_new(1);
    mp_result *endless = begin(pool, ENDLESS, 0, NULL), *waiting[50];
    int64_t x = 3;
    size_t i;

    CHECK(wait_until(runs_one, pool));
    for (i = 0; i < COUNT(waiting); i++)
        waiting[i] = begin(pool, QUICK, 1, NULL);
    for (i = 0; i < COUNT(waiting); i++) {
        bool ready;

        CHECK_OK(mp_result_cancel(waiting[i], MP_SEC(60)));
        CHECK_SENTENCE(mp_result_get(waiting[i], MP_FOREVER, NULL), MP_ERR_CANCELLED, "cancelled");
        CHECK_STATUS(mp_result_cancel(waiting[i], 0), MP_ERR_STATE);
        CHECK_OK(mp_result_ready(endless, &ready));
        CHECK(!ready);
        CHECK_OK(mp_result_free(waiting[i]));
    }
    CHECK_INT(stats_of(pool).done, 0);
    CHECK_INT(stats_of(pool).died, 0);
    CHECK_OK(mp_result_cancel(endless, MP_MS(1)));
    CHECK_STATUS(mp_result_get(endless, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(endless));
    CHECK_OK(mp_pool_apply(pool, square, NULL, &x, sizeof x, NULL, NULL));
    CHECK_OK(mp_pool_free(pool));
}

/* A function that asks returns, and its worker stays; one that does not ends with its worker. */
static void cancel_of_what_runs(int64_t what, const char *how, bool stays)
{
    mp_pool *pool = pool_new(1);
    mp_result *result;
    int64_t x = 3;
    int i;

    for (i = 0; i < 2; i++) {
        uint64_t hired = stats_of(pool).replaced;

        result = begin(pool, what, 0, NULL);
        CHECK(wait_until(runs_one, pool));
        CHECK_OK(mp_result_cancel(result, stays ? MP_SEC(60) : MP_MS(20)));
        CHECK_STATUS(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_CANCELLED);
        CHECK_OK(mp_result_free(result));
        CHECK_OK(mp_pool_apply(pool, square, NULL, &x, sizeof x, NULL, NULL));
        CHECK_INT(stats_of(pool).replaced, hired + (stays ? 0 : 1));
        CHECK_INT(stats_of(pool).stopped, i + 1);
    }
    (void)how;
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, cancel_of_what_asks)
{
    cancel_of_what_runs(ATTENTIVE, "", true);
}

TEST(stop, cancel_of_what_does_not_ask)
{
    cancel_of_what_runs(ENDLESS, "SIGTERM", false);
}

TEST(stop, cancel_of_what_ignores_the_signal)
{
    cancel_of_what_runs(STUBBORN, "SIGKILL", false);
}

/* Only the worker that runs the cancelled task is replaced. */
TEST(stop, cancel_spares_the_others)
{
    mp_pool *pool = pool_new(3);
    mp_result *naps[4], *endless = begin(pool, ENDLESS, 0, NULL);
    size_t i;

    for (i = 0; i < COUNT(naps); i++)
        naps[i] = begin(pool, NAP, 60, NULL);
    sleep_ms(30);
    CHECK_OK(mp_result_cancel(endless, MP_NO_WAIT));
    CHECK_STATUS(mp_result_get(endless, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(endless));
    for (i = 0; i < COUNT(naps); i++) {
        CHECK_OK(mp_result_get(naps[i], MP_FOREVER, NULL));
        CHECK_OK(mp_result_free(naps[i]));
    }
    CHECK(stats_of(pool).died <= 1);
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, cancel_of_a_map)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    order in[100];
    mp_result *result;
    size_t i, done, total;

    for (i = 0; i < COUNT(in); i++) {
        in[i].what = i < 4 ? QUICK : ENDLESS;
        in[i].x = 1;
    }
    o.chunk = 1;
    CHECK_OK(mp_pool_map_array_async(pool, obeys, NULL, in, sizeof *in, COUNT(in), 8, &o, NULL, &result));
    do {
        CHECK_OK(mp_result_progress(result, &done, &total));
        CHECK_INT(total, COUNT(in));
        sleep_ms(1);
    } while (done < 4);
    CHECK_INT(done, 4);
    CHECK_OK(mp_result_cancel(result, MP_MS(5)));
    CHECK_STATUS(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* Cancels that race with the end of what they cancel: each result is one or the other. */
TEST_T(stop, cancel_races_with_the_end, 60)
{
    mp_pool *pool = pool_new(2);
    int i, cancelled = 0;

    for (i = 0; i < 500; i++) {
        mp_result *result = begin(pool, QUICK, 7, NULL);
        mp_buffer *value;
        int c, s;

        if (i % 2 == 0)
            usleep((useconds_t)(i % 50));
        c = mp_result_cancel(result, MP_SEC(60));
        s = mp_result_get(result, MP_FOREVER, &value);
        CHECK(c == MP_OK || c == MP_ERR_STATE);
        CHECK_INT(s, c == MP_OK ? MP_ERR_CANCELLED : MP_OK);
        cancelled += c == MP_OK;
        CHECK_OK(mp_buffer_free(value));
        CHECK_OK(mp_result_free(result));
    }
    CHECK_INT(stats_of(pool).died, 0);
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- limits ---- */

static void limited(int64_t what, const char *how)
{
    static const size_t at = 2;
    mp_apply_options a = MP_APPLY_OPTIONS;
    mp_map_options m = MP_MAP_OPTIONS;
    mp_pool *pool = pool_new(2);
    mp_status statuses[6];
    mp_result *result;
    int64_t out[6];
    order in[6];
    size_t i;

    a.time_limit = m.time_limit = MP_MS(60);
    a.grace = m.grace = MP_MS(20);
    for (i = 0; i < COUNT(in); i++) {
        in[i].what = i == at ? what : QUICK;
        in[i].x = (int64_t)i;
    }
    CHECK_SENTENCE(mp_pool_apply(pool, obeys, NULL, &in[at], sizeof *in, NULL, &a), MP_ERR_TIMEOUT,
                   "longer than 60ms");
    CHECK_CONTAINS(mp_last_error(), how);
    m.run_all = true;
    m.statuses = statuses;
    CHECK_SENTENCE(mp_pool_map_array(pool, obeys, NULL, in, sizeof *in, 6, out, 8, &m), MP_ERR_TIMEOUT,
                   "item 2");
    CHECK_CONTAINS(mp_last_error(), how);
    for (i = 0; i < COUNT(in); i++) {
        CHECK_INT(statuses[i], i == at ? MP_ERR_TIMEOUT : MP_OK);
        if (i != at)
            CHECK_INT(out[i], i * i);
    }
    result = begin(pool, what, 0, &a);
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, NULL), MP_ERR_TIMEOUT, how);
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

TEST(stop, limit_of_what_asks)
{
    limited(ATTENTIVE, "its function returned");
}

TEST(stop, limit_of_what_does_not_ask)
{
    limited(ENDLESS, "SIGTERM");
}

TEST(stop, limit_of_what_ignores_the_signal)
{
    limited(STUBBORN, "SIGKILL");
}

/* The clock runs while the task does, not while it waits. */
TEST(stop, limit_is_of_the_run)
{
    mp_apply_options a = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *first = begin(pool, NAP, 400, NULL), *second;

    a.time_limit = MP_MS(300);
    second = begin(pool, QUICK, 5, &a);
    CHECK_OK(mp_result_get(first, MP_FOREVER, NULL));
    CHECK_OK(mp_result_get(second, MP_FOREVER, NULL));
    CHECK_OK(mp_result_free(first));
    CHECK_OK(mp_result_free(second));
    CHECK_OK(mp_pool_free(pool));
}

/* That of the call runs from its beginning. */
TEST(stop, timeout_of_an_asynchronous_call)
{
    mp_apply_options a = MP_APPLY_OPTIONS;
    mp_pool *pool = pool_new(1);
    mp_result *first, *second, *third;

    a.timeout = MP_MS(50);
    a.grace = MP_MS(5);
    first = begin(pool, ENDLESS, 0, NULL);
    CHECK(wait_until(runs_one, pool));
    second = begin(pool, QUICK, 5, &a);
    CHECK_SENTENCE(mp_result_get(second, MP_FOREVER, NULL), MP_ERR_TIMEOUT, "not done in time");
    CHECK_OK(mp_result_cancel(first, MP_NO_WAIT));
    CHECK_STATUS(mp_result_get(first, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    third = begin(pool, ENDLESS, 0, &a);
    CHECK_SENTENCE(mp_result_get(third, MP_FOREVER, NULL), MP_ERR_TIMEOUT, "not done in time");
    CHECK_OK(mp_result_free(first));
    CHECK_OK(mp_result_free(second));
    CHECK_OK(mp_result_free(third));
    check_squares(pool, 20, NULL);
    CHECK_OK(mp_pool_free(pool));
}

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
    first = begin(pool, NAP, 300, NULL);
    CHECK(wait_until(runs_one, pool));
    for (i = 0; i < 40; i++) {
        places[i].all = &all;
        places[i].number = i;
        o.priority = i % 4 - 2;
        o.done = notes_its_place;
        o.user = &places[i];
        CHECK_OK(mp_pool_apply_async(pool, obeys, NULL, &q, sizeof q, NULL, &o, NULL));
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
        results[i] = begin(pool, NAP, 10, NULL);
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
    mp_result *running = begin(pool, NAP, 200, NULL), *results[20], *map;
    order in[50];
    size_t i;

    CHECK(wait_until(runs_one, pool));
    for (i = 0; i < COUNT(results); i++)
        results[i] = begin(pool, QUICK, 10, NULL);
    memset(in, 0, sizeof in);
    o.chunk = 1;
    CHECK_OK(mp_pool_map_array_async(pool, obeys, NULL, in, sizeof *in, COUNT(in), 8, &o, NULL, &map));
    CHECK_STATUS(mp_pool_shutdown(pool, true, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_pool_shutdown(pool, true, MP_FOREVER));
    CHECK_OK(mp_result_get(running, MP_NO_WAIT, NULL));
    for (i = 0; i < COUNT(results); i++) {
        CHECK_SENTENCE(mp_result_get(results[i], MP_FOREVER, NULL), MP_ERR_CANCELLED, "shut down");
        CHECK_OK(mp_result_free(results[i]));
    }
    CHECK_STATUS(mp_result_get(map, MP_FOREVER, NULL), MP_ERR_CANCELLED);
    CHECK_INT(stats_of(pool).done, 1);
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

    s = stats_of(pool);
    CHECK(s.workers == 2 && s.queued == 0 && s.running == 0 && s.done == 0);
    o.chunk = 10;
    check_squares(pool, 200, &o);
    s = stats_of(pool);
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
    CHECK_OK(mp_pool_stats_init(&bad));
    CHECK_INT(bad.size, sizeof bad);
    CHECK_STATUS(mp_pool_stats_init(NULL), MP_ERR_INVALID);
    CHECK_OK(mp_worker_stats_init(&w));
    CHECK_INT(w.size, sizeof w);
    CHECK_STATUS(mp_worker_stats_init(NULL), MP_ERR_INVALID);
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
    CHECK_OK(mp_pool_map_array_async(pool, obeys, NULL, in, sizeof *in, COUNT(in), 8, &o, NULL, &result));
    sleep_ms(50);
    for (i = 0; i < 3; i++)
        CHECK(signal_child(pids[i], SIGKILL));
    CHECK_SENTENCE(mp_result_get(result, MP_FOREVER, &value), MP_ERR_WORKER_DIED, "SIGKILL");
    CHECK(stats_of(pool).died <= 3 && stats_of(pool).done >= 27);
    CHECK_OK(mp_buffer_free(value));
    CHECK_OK(mp_result_free(result));
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}
