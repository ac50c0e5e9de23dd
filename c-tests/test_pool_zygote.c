/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: by fork, whoever takes a dead worker's place comes from a zygote, and is as the first workers were. */
#include "test_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool by_fork(void)
{
    return strcmp(test_start_method(), "fork") == 0;
}

/* The zygote of a process's only pool; 0 for none. */
static pid_t zygote_of(pid_t owner)
{
    enum { MANY = 4096 };
    proc_info *all = calloc(MANY, sizeof *all);
    size_t count, i;
    pid_t found = 0;

    CHECK(all != NULL);
    count = proc_list(all, MANY);
    for (i = 0; i < count; i++)
        if (all[i].ppid == owner && all[i].state != 'Z' && strcmp(all[i].comm, "mp-zygote") == 0)
            found = all[i].pid;
    free(all);
    return found;
}

/* The next call replaces them. Those whose zygote was killed are nobody's children. */
static void kill_workers(mp_pool *pool, size_t workers)
{
    pid_t pids[4];
    size_t i;

    for (i = 0; i < workers; i++) {
        mp_worker_stats s = MP_WORKER_STATS;

        CHECK_OK(mp_pool_worker_stats(pool, i, &s));
        pids[i] = s.pid;
        CHECK(s.pid > 0 && kill(s.pid, SIGKILL) == 0);
    }
    for (i = 0; i < workers; i++)
        CHECK(wait_until(gone, &pids[i]));
}

/* ---- what they are like ---- */

static int forks, hooks, when = 1;

static void on_fork(void)
{
    forks++;
}

static void on_begin(void *user)
{
    ++*(int *)user;
}

static void on_signal(int number)
{
    (void)number;
}

static void describes_itself(mp_task *task, void *user)
{
    int64_t facts[4];
    struct sigaction action;

    (void)user;
    facts[0] = when;
    facts[1] = hooks;
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0);
    facts[2] = action.sa_handler == on_signal;
    CHECK(sigaction(SIGCHLD, NULL, &action) == 0);
    facts[3] = action.sa_handler == SIG_IGN;
    CHECK_OK(mp_task_return(task, facts, sizeof facts));
}

static void *waits(void *mutex)
{
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return NULL;
}

/* They have the memory, the hooks and the handlers that the owner had; and the owner, which has threads by
 * now, does not fork. That it ignores SIGCHLD does not hide how they end. */
TEST(zygote, replacements_are_as_the_first)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct sigaction action;
    mp_pool *pool;
    pthread_t thread;
    int round;

    if (!by_fork())
        SKIP("fresh images need no zygote");
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    CHECK_OK(mp_after_fork(on_begin, &hooks));
    CHECK(pthread_atfork(on_fork, NULL, NULL) == 0);
    pool = pool_new(2);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_create(&thread, NULL, waits, &mutex) == 0);
    forks = 0;
    when = 2;
    for (round = 0; round < 3; round++) {
        int64_t all[10][4];
        size_t i;

        CHECK_OK(mp_pool_map_array(pool, describes_itself, NULL, NULL, 0, 10, all, sizeof *all, NULL));
        for (i = 0; i < 10; i++) {
            CHECK_INT(all[i][0], 1);
            CHECK_INT(all[i][1], 1);
            CHECK_INT(all[i][2], 1);
            CHECK_INT(all[i][3], 1);
        }
        kill_workers(pool, 2);
    }
    CHECK_INT(forks, 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_pool_free(pool));
    signal(SIGCHLD, SIG_DFL);
}

static void dies_of_it(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    raise(SIGKILL);
}

static void leaves(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    _exit(7);
}

/* Their ends are known as those of the first. */
TEST(zygote, ends_of_replacements)
{
    mp_pool *pool = pool_new(1);
    int i;

    for (i = 0; i < 4; i++) {
        CHECK_SENTENCE(mp_pool_apply(pool, dies_of_it, NULL, NULL, 0, NULL, NULL), MP_ERR_WORKER_DIED,
                       "was killed by SIGKILL");
        CHECK_SENTENCE(mp_pool_apply(pool, leaves, NULL, NULL, 0, NULL, NULL), MP_ERR_WORKER_DIED,
                       "exited with code 7");
    }
    CHECK_OK(mp_pool_free(pool));
}

/* ---- deaths of the zygote ---- */

static int told;

static void on_record(const mp_log_record *record, void *user)
{
    (void)user;
    if (strstr(record->message, "zygote has died") != NULL)
        told++;
}

TEST(zygote, killed)
{
    mp_pool *pool;
    int round;

    if (!by_fork())
        SKIP("fresh images need no zygote");
    mp_log_set_sink(on_record, NULL);
    mp_log_set_level(MP_LOG_WARNING);
    pool = pool_new(2);
    for (round = 0; round < 3; round++) {
        pid_t zygote = zygote_of(getpid());

        CHECK(zygote != 0);
        check_squares(pool, 10, NULL);
        CHECK(kill(zygote, SIGKILL) == 0);
        CHECK(wait_until(gone, &zygote));
        check_squares(pool, 10, NULL);
        kill_workers(pool, 2);
        check_squares(pool, 100, NULL);
        CHECK_INT(told, round + 1);
    }
    CHECK_OK(mp_pool_free(pool));
}

/* One that somebody has stopped goes on when it is needed, and ends with the pool. */
TEST(zygote, stopped)
{
    mp_pool *pool;
    pid_t zygote;

    if (!by_fork())
        SKIP("fresh images need no zygote");
    pool = pool_new(2);
    zygote = zygote_of(getpid());
    CHECK(zygote != 0 && kill(zygote, SIGSTOP) == 0);
    kill_workers(pool, 2);
    check_squares(pool, 100, NULL);
    CHECK_INT(zygote_of(getpid()), zygote);
    CHECK(kill(zygote, SIGSTOP) == 0);
    CHECK_OK(mp_pool_free(pool));
    CHECK(process_gone(zygote));
}

/* Signals for the whole group are not meant for it. */
TEST(zygote, ignores_signals)
{
    mp_pool *pool;
    pid_t zygote;

    if (!by_fork())
        SKIP("fresh images need no zygote");
    signal(SIGUSR1, SIG_IGN);
    pool = pool_new(1);
    zygote = zygote_of(getpid());
    CHECK(zygote != 0);
    CHECK(kill(zygote, SIGINT) == 0 && kill(zygote, SIGTERM) == 0 && kill(zygote, SIGHUP) == 0);
    kill_workers(pool, 1);
    check_squares(pool, 100, NULL);
    CHECK_INT(zygote_of(getpid()), zygote);
    CHECK_OK(mp_pool_free(pool));
}

/* ---- its end ---- */

/* Whatever came and went, no descriptor and no process stays; also where a child of the program's own has
 * copies of all that the owner holds. */
TEST(zygote, ends_with_the_pool)
{
    int before, round;
    pid_t child;

    CHECK_OK(mp_pool_free(pool_new(1)));
    before = open_descriptors();
    for (round = 0; round < 4; round++) {
        mp_pool *pool = pool_new(2);
        pid_t zygote = zygote_of(getpid());
        int status;

        CHECK(!by_fork() || zygote != 0);
        check_squares(pool, 10, NULL);
        kill_workers(pool, 2);
        check_squares(pool, 10, NULL);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            sleep_ms(60000);
            _exit(0);
        }
        if (round % 2 == 0) {
            CHECK_OK(mp_pool_close(pool));
            CHECK_OK(mp_pool_join(pool, MP_FOREVER));
            CHECK(zygote == 0 || process_gone(zygote));
        }
        CHECK_OK(mp_pool_free(pool));
        CHECK(zygote == 0 || process_gone(zygote));
        CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    }
    CHECK_INT(open_descriptors(), before);
}

static int owns_a_pool(mp_child *self, void *user)
{
    mp_pool *pool = pool_new(2);
    pid_t child;

    CHECK(user == NULL);
    check_squares(pool, 10, NULL);
    /* It inherits the ends of the lifelines, which do not close with the owner. */
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(60000);
        _exit(0);
    }
    flag_set(mp_child_value(self, 0), child);
    flag_set(mp_child_value(self, 1), zygote_of(getpid()));
    sleep_ms(600000);
    return 0;
}

TEST(zygote, ends_with_its_owner)
{
    mp_value *child = flag_new(), *number = flag_new();
    mp_process *p;
    pid_t zygote;

    if (!by_fork())
        SKIP("fresh images need no zygote");
    p = CHILD_START(owns_a_pool, child, number);
    while ((zygote = (pid_t)flag_get(number)) == 0)
        sleep_ms(5);
    CHECK(kill(child_pid(p), SIGKILL) == 0);
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK(wait_until(gone, &zygote));
    CHECK(kill((pid_t)flag_get(child), SIGKILL) == 0);
    CHECK_OK(mp_value_free(child));
    CHECK_OK(mp_value_free(number));
}
