/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools whose workers die, whose parent dies, and signals that must not kill. */
#include "test_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum death { BY_SEGV = 1, BY_ABORT, BY_EXIT, BY_KILL, BY_TERM } death;

static void dies(mp_task *task, void *user)
{
    switch (*(const int64_t *)mp_task_input(task, NULL)) {
    case BY_SEGV: signal(SIGSEGV, SIG_DFL); raise(SIGSEGV); break;
    case BY_ABORT: abort();
    case BY_EXIT: _exit(3);
    case BY_KILL: raise(SIGKILL); break;
    case BY_TERM: signal(SIGTERM, SIG_DFL); raise(SIGTERM); break;
    default: break;
    }
    square(task, user);
}

/* The pool answers with the death and goes on. */
TEST(pool, worker_dies_in_every_way)
{
    static const struct {
        int64_t way;
        const char *name;
    } all[] = {{BY_SEGV, "SIGSEGV"},
               {BY_ABORT, "SIGABRT"},
               {BY_EXIT, "exited with code 3"},
               {BY_KILL, "SIGKILL"},
               {BY_TERM, "SIGTERM"}};
    size_t workers, i, n;

    for (workers = 1; workers <= 3; workers += 2) {
        mp_pool *pool = pool_new(workers);

        for (i = 0; i < COUNT(all); i++) {
            int64_t in[3] = {7, 8, 0}, out[3];

            in[2] = all[i].way;
            CHECK_SENTENCE(mp_pool_map_array(pool, dies, NULL, in, 8, 3, out, 8, NULL),
                           MP_ERR_WORKER_DIED, all[i].name);
            check_squares(pool, 200, NULL);
            CHECK_OK(mp_pool_workers(pool, &n));
            CHECK_INT(n, workers);
        }
        CHECK_OK(mp_pool_free(pool));
    }
}

/* Exactly the running item is lost, and the results of its chunk that were not delivered yet; not
 * what its worker did before or was to do next. */
TEST(pool, death_fails_exactly_one_task)
{
    enum { ITEMS = 60 };
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t numbers[ITEMS];
    mp_buffer *out[ITEMS];
    mp_bytes in[ITEMS];
    mp_pool *pool = pool_new(2);
    size_t i, len;

    for (i = 0; i < ITEMS; i++) {
        numbers[i] = i == 21 ? BY_KILL : 100 + (int64_t)i;
        in[i].data = &numbers[i];
        in[i].len = sizeof numbers[i];
    }
    o.run_all = true;
    for (o.chunk = 1; o.chunk < 12; o.chunk += 5) {
        size_t begin = 21 / o.chunk * o.chunk;

        CHECK_SENTENCE(mp_pool_map(pool, dies, NULL, in, ITEMS, out, &o), MP_ERR_WORKER_DIED,
                       "SIGKILL");
        for (i = 0; i < ITEMS; i++) {
            int64_t got;

            if (i >= begin && i <= 21) {
                CHECK(out[i] == NULL);
                continue;
            }
            CHECK(out[i] != NULL);
            memcpy(&got, mp_buffer_data(out[i], &len), sizeof got);
            CHECK_INT(len, sizeof got);
            CHECK_INT(got, numbers[i] * numbers[i]);
            CHECK_OK(mp_buffer_free(out[i]));
        }
    }
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, every_task_kills_its_worker)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[120], out[120];
    mp_pool *pool = pool_new(2);
    size_t i;

    for (i = 0; i < COUNT(in); i++)
        in[i] = BY_KILL;
    o.run_all = true;
    CHECK_STATUS(mp_pool_map_array(pool, dies, NULL, in, 8, COUNT(in), out, 8, &o),
                 MP_ERR_WORKER_DIED);
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

/* Nothing was running, so nothing is lost. */
TEST(pool, idle_worker_killed)
{
    int i;

    for (i = 0; i < 10; i++) {
        mp_pool *pool = pool_new(2);
        pid_t pids[2];

        check_squares(pool, 10, NULL);
        pool_pids(pids, 2);
        CHECK(signal_child(pids[i % 2], SIGKILL));
        CHECK(wait_until(gone, &pids[i % 2]));
        check_squares(pool, 200, NULL);
        check_squares(pool, 200, NULL);
        CHECK_OK(mp_pool_free(pool));
    }
}

TEST(pool, all_idle_workers_killed)
{
    mp_pool *pool = pool_new(3);
    pid_t pids[3];
    int i;

    check_squares(pool, 10, NULL);
    pool_pids(pids, 3);
    for (i = 0; i < 3; i++)
        CHECK(signal_child(pids[i], SIGKILL));
    for (i = 0; i < 3; i++)
        CHECK(wait_until(gone, &pids[i]));
    CHECK_OK(mp_pool_free(pool));
}

/* A pool that was idle meanwhile sees the death at its next map, and has all its workers again. */
TEST(pool, killed_workers_are_replaced)
{
    mp_pool *pool = pool_new(3);
    pid_t pids[3];
    int i;

    for (i = 0; i < 10; i++) {
        check_squares(pool, 10, NULL);
        while (children_of(getpid(), pids, 3) < 3) {
            check_squares(pool, 10, NULL);
            sleep_ms(5);
        }
        CHECK(signal_child(pids[i % 3], SIGKILL));
        CHECK(wait_until(gone, &pids[i % 3]));
    }
    CHECK_OK(mp_pool_free(pool));
}

/* A worker that does not run is not dead: the map waits for it. */
TEST(pool, stopped_worker_is_not_dead)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[40], out[40];
    mp_pool *pool = pool_new(1);
    size_t i;
    pid_t pid;

    check_squares(pool, 10, NULL);
    pool_pids(&pid, 1);
    CHECK(signal_child(pid, SIGSTOP));
    for (i = 0; i < COUNT(in); i++)
        in[i] = 10 + (int64_t)i;
    o.timeout = MP_MS(300);
    CHECK_STATUS(mp_pool_map_array(pool, square, NULL, in, 8, COUNT(in), out, 8, &o), MP_ERR_TIMEOUT);
    CHECK(signal_child(pid, SIGCONT));
    check_squares(pool, 100, NULL);
    CHECK_OK(mp_pool_free(pool));
}

static void on_interrupt(int number)
{
    (void)number;
}

static void naps(mp_task *task, void *user)
{
    sleep_ms(20);
    square(task, user);
}

/* Ctrl-C goes to every process of the group; what to do about it is the parent's business. */
TEST(pool, interrupt_does_not_kill_workers)
{
    mp_pool *pool = pool_new(2);
    pid_t before[2], after[2];
    int64_t in[20], out[20];
    struct sigaction action;
    pid_t killer;
    size_t i;

    check_squares(pool, 10, NULL);
    pool_pids(before, 2);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    CHECK(sigaction(SIGINT, &action, NULL) == 0);
    CHECK(kill(0, SIGINT) == 0);
    check_squares(pool, 100, NULL);
    killer = fork();
    CHECK(killer >= 0);
    if (killer == 0) {
        sleep_ms(60);
        kill(0, SIGINT);
        _exit(0);
    }
    for (i = 0; i < COUNT(in); i++)
        in[i] = 5;
    CHECK_OK(mp_pool_map_array(pool, naps, NULL, in, 8, COUNT(in), out, 8, NULL));
    {
        int status;

        CHECK_INT(waitpid(killer, &status, 0), killer);
    }
    pool_pids(after, 2);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- the parent dies ---- */

static void spins(mp_task *task, void *user)
{
    volatile int64_t x = 0;

    (void)user;
    signal(SIGTERM, SIG_IGN);
    if (mp_task_index(task) % 2 == 0)
        for (;;)
            x++;
    for (;;)
        sleep_ms(1000);
}

static void *maps_spins(void *pool)
{
    int64_t in[4] = {0}, out[4];

    CHECK_STATUS(mp_pool_map_array(pool, spins, NULL, in, 8, 4, out, 8, NULL), MP_ERR_CANCELLED);
    return NULL;
}

/* These workers are busy and ignore SIGTERM. */
TEST(pool, free_ends_stubborn_workers)
{
    mp_pool *pool = pool_new(4);
    pthread_t thread;
    pid_t pids[4];
    size_t i;

    check_squares(pool, 100, NULL);
    pool_pids(pids, 4);
    CHECK(pthread_create(&thread, NULL, maps_spins, pool) == 0);
    sleep_ms(100);
    CHECK_OK(mp_pool_free(pool));
    for (i = 0; i < 4; i++)
        CHECK(process_gone(pids[i]));
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Nor does it matter that they are stopped. */
TEST(pool, free_ends_stopped_workers)
{
    mp_pool *pool = pool_new(3);
    pid_t pids[3];
    size_t i;

    check_squares(pool, 100, NULL);
    pool_pids(pids, 3);
    for (i = 0; i < 3; i++)
        CHECK(signal_child(pids[i], SIGSTOP));
    CHECK_OK(mp_pool_free(pool));
    for (i = 0; i < 3; i++)
        CHECK(process_gone(pids[i]));
}

/* Argument 0: whether the workers are busy. The flag (1) says that they are there. */
static int has_a_pool(mp_child *self, void *user)
{
    int busy = child_number(self, 0);
    int64_t in[4] = {0}, out[4];
    mp_pool *pool = pool_new(4);

    CHECK(user == NULL);
    check_squares(pool, 100, NULL);
    flag_set(mp_child_value(self, 1), 1);
    if (busy)
        mp_pool_map_array(pool, spins, NULL, in, 8, 4, out, 8, NULL);
    sleep_ms(600000);
    return 0;
}

/* The workers of a child. What a fork server makes for it are the server's children, and so ours. */
static size_t workers_of(pid_t parent, pid_t out[8])
{
    bool served = strcmp(test_start_method(), "forkserver") == 0;
    size_t count = children_of(served ? getpid() : parent, out, 8), n = 0, i;

    for (i = 0; i < count; i++)
        if (out[i] != parent)
            out[n++] = out[i];
    return n;
}

static bool has_four_children(void *parent)
{
    pid_t list[8];

    return workers_of(*(pid_t *)parent, list) == 4;
}

static void parent_killed(int busy)
{
    mp_value *flag = flag_new();
    pid_t parent, workers[8];
    mp_process *p;
    size_t i;

    CHECK_OK(mp_process_new(&p, has_a_pool, NULL, NULL));
    child_add_number(p, busy);
    CHECK_OK(mp_process_add_handle(p, flag));
    CHECK_OK(mp_process_start(p));
    flag_wait(flag, 1);
    parent = child_pid(p);
    CHECK(wait_until(has_four_children, &parent));
    CHECK_INT(workers_of(parent, workers), 4);
    if (busy)
        sleep_ms(100);
    CHECK(kill(parent, SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
    for (i = 0; i < 4; i++)
        CHECK(wait_until(gone, &workers[i]));
    CHECK_OK(mp_value_free(flag));
}

TEST(pool, parent_killed_while_workers_are_idle)
{
    parent_killed(0);
}

TEST(pool, parent_killed_while_workers_are_busy)
{
    parent_killed(1);
}
