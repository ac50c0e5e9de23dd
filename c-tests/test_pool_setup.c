/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: what workers are given beside their tasks: CPUs, and a reader of what they write to stderr. */
#include "test_pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- CPUs ---- */

typedef struct seen {
    pid_t pid;
    int cpus, first;
} seen;

static void tells_its_cpus(mp_task *task, void *user)
{
    seen s = {getpid(), 0, 0};
    cpu_set_t set;

    (void)user;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    s.cpus = CPU_COUNT(&set);
    while (!CPU_ISSET(s.first, &set))
        s.first++;
    CHECK_OK(mp_task_return(task, &s, sizeof s));
}

/* Each worker runs where the list says, in turn. */
static void are_bound(mp_pool *pool, size_t workers, const size_t *cpus, size_t count)
{
    mp_map_options o = MP_MAP_OPTIONS;
    size_t i, w;
    seen all[24];

    o.chunk = 1;
    CHECK_OK(mp_pool_map_array(pool, tells_its_cpus, NULL, NULL, 0, COUNT(all), all, sizeof *all, &o));
    for (i = 0; i < COUNT(all); i++) {
        mp_worker_stats s = MP_WORKER_STATS;

        for (w = 0; w < workers && s.pid != all[i].pid; w++)
            CHECK_OK(mp_pool_worker_stats(pool, w, &s));
        CHECK_INT(s.pid, all[i].pid);
        CHECK_INT(all[i].cpus, 1);
        CHECK_INT(all[i].first, cpus[(w - 1) % count]);
    }
}

TEST(pool, cpus_of_workers)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    size_t cpus[2], n = 0, cpu, i;
    cpu_set_t mine;
    mp_pool *pool;
    pid_t pids[3];

    CHECK(sched_getaffinity(0, sizeof mine, &mine) == 0);
    for (cpu = 0; n < COUNT(cpus) && cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &mine))
            cpus[n++] = cpu;
    o.workers = 3;
    o.cpus = cpus;
    o.cpu_count = n;
    CHECK_OK(mp_pool_new(&pool, &o));
    are_bound(pool, 3, cpus, n);
    /* So do those that come in their place. */
    pool_pids(pids, 3);
    for (i = 0; i < 3; i++) {
        CHECK(signal_child(pids[i], SIGKILL));
        CHECK(wait_until(gone, &pids[i]));
    }
    are_bound(pool, 3, cpus, n);
    CHECK_OK(mp_pool_free(pool));
}

TEST(pool, cpus_that_are_not_to_be_had)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    size_t cpu = 60000;
    int before = open_descriptors();
    mp_pool *pool;

    o.workers = 2;
    o.cpus = &cpu;
    o.cpu_count = 1;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), MP_ERR_OS, "its CPUs");
    CHECK_INT(mp_last_errno(), EINVAL);
    CHECK_INT(children_of(getpid(), &(pid_t){0}, 1), 0);
    cpu = 65536;
    CHECK_SENTENCE(mp_pool_new(&pool, &o), MP_ERR_INVALID, "65536");
    o.cpus = NULL;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_INVALID);
    o.cpu_count = SIZE_MAX;
    o.cpus = &cpu;
    CHECK_STATUS(mp_pool_new(&pool, &o), MP_ERR_INVALID);
    if (strcmp(test_start_method(), "forkserver") != 0)
        CHECK_INT(open_descriptors(), before);
}

/* ---- stderr ---- */

static int real_stderr;
static FILE *caught;

/* From now on this process's stderr is a file. */
static void catch_stderr(void)
{
    caught = tmpfile();
    real_stderr = dup(2);
    CHECK(caught != NULL && real_stderr > 2 && dup2(fileno(caught), 2) == 2);
}

/* No longer; reads from the file's beginning. */
static void read_caught(void)
{
    CHECK(dup2(real_stderr, 2) == 2 && close(real_stderr) == 0);
    rewind(caught);
}

static mp_pool *tagged_pool(size_t workers)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool;

    o.workers = workers;
    o.name = "baker";
    o.tag_stderr = true;
    CHECK_OK(mp_pool_new(&pool, &o));
    return pool;
}

static void says(const char *text)
{
    CHECK(write(2, text, strlen(text)) == (ssize_t)strlen(text));
}

/* One line in three pieces, and two lines in one. */
static void complains(mp_task *task, void *user)
{
    char text[200];
    const char *name = mp_process_name(mp_current_process());

    (void)user;
    says("no ");
    says("flour");
    snprintf(text, sizeof text, " for %d of %s\n", (int)mp_task_index(task), name);
    says(text);
    snprintf(text, sizeof text, "and\nno salt for %d of %s\n", (int)mp_task_index(task), name);
    says(text);
}

/* Whatever is written at the same time, each line is whole and under its writer's name. */
TEST(pool, stderr_under_names)
{
    enum { ITEMS = 60 };
    int counts[ITEMS] = {0}, salt[ITEMS] = {0}, ands = 0, before = open_descriptors(), i, round;
    mp_map_options o = MP_MAP_OPTIONS;
    char line[300], tag[100], name[100];
    mp_pool *pool;

    o.chunk = 1;
    catch_stderr();
    pool = tagged_pool(3);
    for (round = 0; round < 2; round++) {
        pid_t pids[3];

        CHECK_OK(mp_pool_map_array(pool, complains, NULL, NULL, 0, ITEMS, NULL, 0, &o));
        /* So it is with those that come later. */
        pool_pids(pids, 3);
        for (i = 0; i < 3; i++) {
            CHECK(signal_child(pids[i], SIGKILL));
            CHECK(wait_until(gone, &pids[i]));
        }
    }
    CHECK_OK(mp_pool_close(pool));
    CHECK_OK(mp_pool_join(pool, MP_FOREVER));
    read_caught();
    while (fgets(line, sizeof line, caught) != NULL) {
        if (sscanf(line, "[%99[^]]] no flour for %d of %99s", tag, &i, name) == 3) {
            CHECK(strcmp(tag, name) == 0 && strncmp(tag, "baker-", 6) == 0 && i >= 0 && i < ITEMS);
            counts[i]++;
        } else if (sscanf(line, "[%99[^]]] no salt for %d of %99s", tag, &i, name) == 3) {
            CHECK(strcmp(tag, name) == 0 && i >= 0 && i < ITEMS);
            salt[i]++;
        } else {
            CHECK_CONTAINS(line, "] and\n");
            ands++;
        }
    }
    for (i = 0; i < ITEMS; i++)
        CHECK(counts[i] == 2 && salt[i] == 2);
    CHECK_INT(ands, 2 * ITEMS);
    CHECK(fclose(caught) == 0);
    CHECK_OK(mp_pool_free(pool));
    if (strcmp(test_start_method(), "forkserver") != 0)
        CHECK_INT(open_descriptors(), before);
}

enum { LONG = 200000 };

static void ends_badly(mp_task *task, void *user)
{
    (void)user;
    if (mp_task_index(task) == 0) {
        char *text = malloc(LONG + 1);

        CHECK(text != NULL);
        memset(text, 'x', LONG);
        text[LONG] = '\0';
        says(text);
        says("\n");
        free(text);
    }
    says("last words");
    raise(SIGKILL);
}

/* What a worker could not end is ended for it; a line without an end takes no memory. */
TEST(pool, stderr_of_the_dying)
{
    mp_map_options o = MP_MAP_OPTIONS;
    int words = 0, letters = 0, lines = 0, c;
    char line[100];
    mp_pool *pool;

    o.chunk = 1;
    o.run_all = true;
    catch_stderr();
    pool = tagged_pool(2);
    CHECK_STATUS(mp_pool_map_array(pool, ends_badly, NULL, NULL, 0, 5, NULL, 0, &o), MP_ERR_WORKER_DIED);
    CHECK_OK(mp_pool_free(pool));
    read_caught();
    while ((c = fgetc(caught)) != EOF) {
        CHECK(c == '[' && fscanf(caught, "baker-%99[0-9:]] ", line) == 1);
        for (lines++; (c = fgetc(caught)) == 'x';)
            letters++;
        if (c == '\n')
            continue;
        ungetc(c, caught);
        CHECK(fgets(line, sizeof line, caught) != NULL && strcmp(line, "last words\n") == 0);
        words++;
    }
    CHECK(words == 5 && letters == LONG && lines >= words + 3);
    CHECK(fclose(caught) == 0);
}

static void leaves_a_child(mp_task *task, void *user)
{
    pid_t child = fork();

    (void)user;
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(60000);
        _exit(0);
    }
    says("it has a copy\n");
    CHECK_OK(mp_task_return(task, &child, sizeof child));
}

/* Somebody who keeps a worker's stderr does not keep the pool. */
TEST(pool, stderr_in_other_hands)
{
    char line[100];
    mp_pool *pool;
    pid_t child;

    catch_stderr();
    pool = tagged_pool(1);
    CHECK_OK(mp_pool_map_array(pool, leaves_a_child, NULL, NULL, 0, 1, &child, sizeof child, NULL));
    CHECK_OK(mp_pool_free(pool));
    CHECK(kill(child, SIGKILL) == 0);
    read_caught();
    CHECK(fgets(line, sizeof line, caught) != NULL);
    CHECK_CONTAINS(line, "] it has a copy\n");
    CHECK(fclose(caught) == 0);
    CHECK(wait_until(gone, &child));
}
