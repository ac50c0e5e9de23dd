/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every way for a worker to fail, at every moment of a task, under every call: one item has failed,
 * all others have their results, and the pool goes on. */
#include "test_pool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ITEMS = 8, VICTIM = 3, LARGE = 64 << 20 };

typedef enum way { FINE, BY_ERROR, BY_EXIT, BY_SEGV, BY_KILL, BY_MEMORY, WAYS } way;
typedef enum moment { BEFORE, DURING, RETURNING, MOMENTS } moment;

typedef struct job {
    int64_t x;
    int32_t way, moment;
} job;

static char large[LARGE];

/* From now on this process gets no more memory. */
static struct rlimit starve(void)
{
    struct rlimit before, now;

    CHECK(getrlimit(RLIMIT_AS, &before) == 0);
    now = before;
    now.rlim_cur = 1 << 20;
    CHECK(setrlimit(RLIMIT_AS, &now) == 0);
    return before;
}

static void out_of_memory(mp_task *task, moment when)
{
    struct rlimit before;
    void *more;

    switch (when) {
    case BEFORE:
        /* What most programs do about it. */
        starve();
        more = malloc(LARGE);
        if (more == NULL)
            abort();
        free(more);
        break;
    case DURING:
        before = starve();
        CHECK_STATUS(mp_task_return(task, large, LARGE), MP_ERR_NO_MEMORY);
        CHECK(setrlimit(RLIMIT_AS, &before) == 0);
        CHECK_OK(mp_task_fail(task, "no memory for the result"));
        break;
    default:
        /* There is memory for the result, and none for what libmp does with it. */
        CHECK_OK(mp_task_return(task, large, LARGE));
        starve();
        break;
    }
}

static void fail_by(mp_task *task, const job *j, moment now)
{
    if (j->moment != (int)now)
        return;
    switch (j->way) {
    case BY_ERROR: CHECK_OK(mp_task_fail(task, "this one shall fail")); break;
    case BY_EXIT: exit(3);
    case BY_SEGV:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case BY_KILL: raise(SIGKILL); break;
    default: break;
    }
}

static void works(mp_task *task, void *user)
{
    const job *j = mp_task_input(task, NULL);
    volatile int64_t y = 0;
    int64_t result, i;

    (void)user;
    if (j->way == BY_MEMORY) {
        out_of_memory(task, (moment)j->moment);
        return;
    }
    fail_by(task, j, BEFORE);
    for (i = 0; i < j->x; i++) {
        y += j->x;
        if (i == j->x / 2)
            fail_by(task, j, DURING);
    }
    result = y;
    CHECK_OK(mp_task_return(task, &result, sizeof result));
    fail_by(task, j, RETURNING);
}

static const struct {
    mp_status status[2];
    const char *text;
} expected[WAYS] = {
    [BY_ERROR] = {{MP_ERR_TASK_FAILED, MP_ERR_TASK_FAILED}, "this one shall fail"},
    [BY_EXIT] = {{MP_ERR_WORKER_DIED, MP_ERR_WORKER_DIED}, "exited with code 3"},
    [BY_SEGV] = {{MP_ERR_WORKER_DIED, MP_ERR_WORKER_DIED}, "SIGSEGV"},
    [BY_KILL] = {{MP_ERR_WORKER_DIED, MP_ERR_WORKER_DIED}, "SIGKILL"},
    [BY_MEMORY] = {{MP_ERR_TASK_FAILED, MP_ERR_NO_MEMORY}, "memory"},
};

/* What the victim came to; call it right after the call that said so. */
static void check_victim(int status, way how, moment when)
{
    CHECK(status < 0);
    if (how == BY_MEMORY && status == MP_ERR_WORKER_DIED) {
        /* A process without memory may get no further. */
        CHECK(when != DURING);
        return;
    }
    CHECK(status == expected[how].status[0] || status == expected[how].status[1]);
    CHECK_CONTAINS(mp_last_error(), expected[how].text);
}

static void check_result(mp_buffer *buffer, const job *j)
{
    int64_t got;
    size_t len;

    CHECK(buffer != NULL);
    memcpy(&got, mp_buffer_data(buffer, &len), sizeof got);
    CHECK_INT(len, sizeof got);
    CHECK_INT(got, j->x * j->x);
    CHECK_OK(mp_buffer_free(buffer));
}

/* ---- the calls ---- */

static void by_apply(mp_pool *pool, const job *jobs, way how, moment when)
{
    int i;

    for (i = 0; i < ITEMS; i++) {
        mp_buffer *result = NULL;
        int s = mp_pool_apply(pool, works, NULL, &jobs[i], sizeof jobs[i], &result, NULL);

        if (i == VICTIM) {
            check_victim(s, how, when);
            CHECK(result == NULL);
        } else {
            CHECK_OK(s);
            check_result(result, &jobs[i]);
        }
    }
}

static void check_statuses(const mp_status *statuses, int victim)
{
    int i;

    for (i = 0; i < ITEMS; i++)
        CHECK_INT(statuses[i], i == VICTIM ? victim : MP_OK);
}

static void by_map(mp_pool *pool, const job *jobs, way how, moment when)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_status statuses[ITEMS];
    mp_buffer *out[ITEMS];
    mp_bytes in[ITEMS];
    int i, s;

    for (i = 0; i < ITEMS; i++) {
        in[i].data = &jobs[i];
        in[i].len = sizeof jobs[i];
    }
    o.run_all = true;
    o.statuses = statuses;
    s = mp_pool_map(pool, works, NULL, in, ITEMS, out, &o);
    check_victim(s, how, when);
    check_statuses(statuses, s);
    CHECK(out[VICTIM] == NULL);
    for (i = 0; i < ITEMS; i++)
        if (i != VICTIM)
            check_result(out[i], &jobs[i]);
}

static void by_map_array(mp_pool *pool, const job *jobs, way how, moment when)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_status statuses[ITEMS];
    int64_t out[ITEMS];
    int i, s;

    if (how == BY_MEMORY)
        return; /* results of a fixed size need no memory */
    o.run_all = true;
    o.statuses = statuses;
    s = mp_pool_map_array(pool, works, NULL, jobs, sizeof *jobs, ITEMS, out, sizeof *out, &o);
    check_victim(s, how, when);
    check_statuses(statuses, s);
    for (i = 0; i < ITEMS; i++)
        if (i != VICTIM)
            CHECK_INT(out[i], jobs[i].x * jobs[i].x);
}

typedef struct supply {
    const job *jobs;
    int next;
} supply;

static int supplies(mp_bytes *item, void *user)
{
    supply *s = user;

    if (s->next == ITEMS)
        return 0;
    item->data = &s->jobs[s->next++];
    item->len = sizeof(job);
    return 1;
}

static void by_imap_as(mp_pool *pool, const job *jobs, way how, moment when, bool unordered)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    supply source = {jobs, 0};
    unsigned seen = 0;
    mp_imap *imap;
    int i;

    o.unordered = unordered;
    CHECK_OK(mp_pool_imap(pool, works, NULL, supplies, &source, &o, &imap));
    for (i = 0; i < ITEMS; i++) {
        mp_buffer *result;
        size_t index = ITEMS;
        int s = mp_imap_next(imap, MP_FOREVER, &result, &index);

        CHECK(index < ITEMS && (seen >> index & 1) == 0);
        CHECK(unordered || index == (size_t)i);
        seen |= 1u << index;
        if (index == VICTIM) {
            check_victim(s, how, when);
            CHECK(result == NULL);
        } else {
            CHECK_OK(s);
            check_result(result, &jobs[index]);
        }
    }
    {
        mp_buffer *result;

        CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &result, NULL), MP_ERR_EOF);
        CHECK_STATUS(mp_imap_next(imap, MP_NO_WAIT, &result, NULL), MP_ERR_EOF);
    }
    CHECK_OK(mp_imap_free(imap));
}

static void by_imap(mp_pool *pool, const job *jobs, way how, moment when)
{
    by_imap_as(pool, jobs, how, when, false);
}

static void by_imap_unordered(mp_pool *pool, const job *jobs, way how, moment when)
{
    by_imap_as(pool, jobs, how, when, true);
}

static void by_apply_async(mp_pool *pool, const job *jobs, way how, moment when)
{
    mp_result *results[ITEMS];
    int i;

    for (i = 0; i < ITEMS; i++)
        CHECK_OK(mp_pool_apply_async(pool, works, NULL, &jobs[i], sizeof jobs[i], NULL, NULL,
                                     &results[i]));
    for (i = 0; i < ITEMS; i++) {
        mp_buffer *value;
        int s = mp_result_get(results[i], MP_FOREVER, &value);

        if (i == VICTIM) {
            check_victim(s, how, when);
            CHECK(value == NULL);
        } else {
            CHECK_OK(s);
            check_result(value, &jobs[i]);
        }
        CHECK_OK(mp_result_free(results[i]));
    }
}

static void by_map_async(mp_pool *pool, const job *jobs, way how, moment when)
{
    mp_map_options o = MP_MAP_OPTIONS;
    mp_buffer *out[ITEMS];
    mp_bytes in[ITEMS];
    mp_result *result;
    int i;

    for (i = 0; i < ITEMS; i++) {
        in[i].data = &jobs[i];
        in[i].len = sizeof jobs[i];
    }
    o.run_all = true;
    CHECK_OK(mp_pool_map_async(pool, works, NULL, in, ITEMS, &o, NULL, &result));
    check_victim(mp_result_get_each(result, MP_FOREVER, out, ITEMS), how, when);
    CHECK(out[VICTIM] == NULL);
    for (i = 0; i < ITEMS; i++)
        if (i != VICTIM)
            check_result(out[i], &jobs[i]);
    CHECK_OK(mp_result_free(result));
}

/* ---- all of it ---- */

typedef void caller(mp_pool *pool, const job *jobs, way how, moment when);

static void one(caller *call, way how, moment when)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    job jobs[ITEMS];
    mp_pool *pool;
    size_t workers;
    int i;

    o.workers = 2;
    /* One that has no memory left is no good for the next task. */
    o.max_tasks = how == BY_MEMORY ? 1 : 0;
    CHECK_OK(mp_pool_new(&pool, &o));
    memset(jobs, 0, sizeof jobs);
    for (i = 0; i < ITEMS; i++)
        jobs[i].x = 10 + i;
    jobs[VICTIM].way = (int)how;
    jobs[VICTIM].moment = (int)when;
    call(pool, jobs, how, when);
    check_squares(pool, 40, NULL);
    CHECK_OK(mp_pool_workers(pool, &workers));
    CHECK_INT(workers, 2);
    CHECK_OK(mp_pool_free(pool));
}

static void all(caller *call)
{
    mp_stats before = stats_now();
    int how, when;

    for (how = BY_ERROR; how < WAYS; how++)
        for (when = BEFORE; when < MOMENTS; when++)
            one(call, (way)how, (moment)when);
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_INT(stats_now().processes, before.processes);
}

#define MATRIX(name) TEST_T(pool_matrix, name, 60) { all(by_##name); }

MATRIX(apply)
MATRIX(map)
MATRIX(map_array)
MATRIX(imap)
MATRIX(imap_unordered)
MATRIX(apply_async)
MATRIX(map_async)
