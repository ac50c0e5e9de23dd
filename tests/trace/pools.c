/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Programs with pools for tests/trace.sh: pools WHAT [FILE]. */
#include <mp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ITEMS = 100 };

static int die(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    exit(1);
}

static void square(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

/* The item says how it goes. */
static void ends(mp_task *task, void *user)
{
    const int64_t *how = mp_task_input(task, NULL);

    (void)user;
    if (*how == 1)
        mp_task_fail(task, "it \"failed\"\n");
    else if (*how == 2)
        raise(SIGKILL);
    while (*how == 3)
        usleep(1000);
}

static mp_pool *pool_of(size_t workers, const char *file)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    o.workers = workers;
    o.trace = file;
    if (mp_pool_new(&pool, &o) < 0)
        die();
    return pool;
}

static void map(mp_pool *pool)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int64_t in[ITEMS] = {0}, out[ITEMS];

    o.chunk = 5;
    if (mp_pool_map_array(pool, square, NULL, in, 8, ITEMS, out, 8, &o) < 0)
        die();
}

/* One call that ends in each way, a killed one twice. */
static void all_ways(mp_pool *pool)
{
    mp_apply_options o = MP_APPLY_OPTIONS;
    int64_t how;

    o.retries = 1;
    o.time_limit = MP_MS(30);
    for (how = 0; how < 4; how++)
        if ((mp_pool_apply(pool, ends, NULL, &how, 8, NULL, &o) == MP_OK) != (how == 0))
            exit(3);
}

/* Begins what is not over when the pool ends: one that runs, and one that waits. */
static void begin(mp_pool *pool)
{
    mp_worker_stats worker = MP_WORKER_STATS;
    int64_t how = 3;
    int i;

    for (i = 0; i < 2; i++)
        if (mp_pool_apply_async(pool, ends, NULL, &how, 8, NULL, NULL, NULL) < 0)
            die();
    do {
        mp_pool_worker_stats(pool, 0, &worker);
    } while (!worker.running);
}

static int has_a_pool(mp_child *self, void *user)
{
    mp_pool *pool = pool_of(1, NULL);

    (void)self;
    (void)user;
    map(pool);
    return mp_pool_free(pool) < 0;
}

static void in_a_child(void)
{
    mp_process *child;

    if (mp_process_new(&child, has_a_pool, NULL, NULL) < 0 || mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0)
        die();
}

static void in_a_fork(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(has_a_pool(NULL, NULL));
    if (waitpid(pid, &status, 0) != pid || status != 0)
        exit(4);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *file = argc > 2 ? argv[2] : NULL;
    mp_pool *pool, *other;

    if (mp_bootstrap(argc, argv) < 0)
        die();
    pool = pool_of(strcmp(what, "ways") == 0 || strcmp(what, "terminate") == 0 ? 1 : 2, file);
    map(pool);
    if (strcmp(what, "ways") == 0)
        all_ways(pool);
    if (strcmp(what, "terminate") == 0) {
        begin(pool);
        if (mp_pool_terminate(pool) < 0)
            die();
    }
    if (strcmp(what, "two") == 0) {
        other = pool_of(1, file);
        map(other);
        map(pool);
        if (mp_pool_free(other) < 0)
            die();
        in_a_child();
        in_a_fork();
    }
    if (strcmp(what, "exit") == 0)
        exit(0);
    if (strcmp(what, "kill") == 0) {
        sleep(1);
        map(pool);
        raise(SIGKILL);
    }
    if (mp_pool_free(pool) < 0)
        die();
    return 0;
}
