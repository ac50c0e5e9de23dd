/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The test's own process: the library is warmed up, the body runs, and what it leaves is found. */
#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

double run_scale = 1;
const char *run_start = "fork";

static test *registered;
static size_t registered_count;
static bool finished;
static pid_t test_process;

static int compare(const test *a, const test *b)
{
    int order = strcmp(a->noun, b->noun);

    if (order == 0)
        order = strcmp(a->file, b->file);
    return order != 0 ? order : a->line - b->line;
}

/* By noun, then by place in the file: the linker's order of the files does not matter. */
void test_register(test *t)
{
    test **at = &registered;

    while (*at != NULL && compare(*at, t) < 0)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    registered_count++;
}

size_t test_count(void)
{
    return registered_count;
}

const test *test_at(size_t index)
{
    const test *t = registered;

    while (index-- > 0)
        t = t->next;
    return t;
}

void test_full_name(const test *t, char *out, size_t size)
{
    snprintf(out, size, "%s.%s", t->noun, t->name);
}

const char *test_start_method(void)
{
    return run_start;
}

/* ---- what is open ---- */

typedef struct descriptor {
    int fd;
    char link[200];
} descriptor;

typedef struct descriptors {
    descriptor list[1024];
    size_t count;
} descriptors;

static void descriptors_take(descriptors *d)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;

    d->count = 0;
    if (dir == NULL)
        return;
    while (d->count < COUNT(d->list) && (e = readdir(dir)) != NULL) {
        descriptor *one = &d->list[d->count];
        char path[300];
        ssize_t n;

        if (e->d_name[0] == '.' || (one->fd = atoi(e->d_name)) == dirfd(dir))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
        n = readlink(path, one->link, sizeof one->link - 1);
        one->link[n < 0 ? 0 : n] = '\0';
        d->count++;
    }
    closedir(dir);
}

static bool descriptors_has(const descriptors *d, const descriptor *one)
{
    size_t i;

    for (i = 0; i < d->count; i++)
        if (d->list[i].fd == one->fd && strcmp(d->list[i].link, one->link) == 0)
            return true;
    return false;
}

/* A cold test is where the library opens its segment. */
static int descriptors_compare(const descriptors *before, const descriptors *after, bool cold)
{
    int bad = 0;
    size_t i;

    for (i = 0; i < after->count; i++)
        if (!descriptors_has(before, &after->list[i]) &&
            !(cold && strncmp(after->list[i].link, "/memfd:", 7) == 0)) {
            fprintf(stderr, "left behind: descriptor %d -> %s\n", after->list[i].fd,
                    after->list[i].link);
            bad++;
        }
    for (i = 0; i < before->count; i++)
        if (!descriptors_has(after, &before->list[i])) {
            fprintf(stderr, "gone: descriptor %d -> %s\n", before->list[i].fd,
                    before->list[i].link);
            bad++;
        }
    return bad;
}

/* ---- children and blocks ---- */

static int children_left(void)
{
    siginfo_t info;
    pid_t list[64];
    size_t count, i;

    memset(&info, 0, sizeof info);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return 0; /* ECHILD: none at all. */
    if (info.si_pid != 0)
        fprintf(stderr, "left behind: zombie %ld\n", (long)info.si_pid);
    count = children_of(getpid(), list, COUNT(list));
    for (i = 0; i < count; i++)
        fprintf(stderr, "left behind: child %ld\n", (long)list[i]);
    return info.si_pid != 0 || count > 0;
}

static uint64_t blocks_now(void)
{
    mp_stats stats = MP_STATS;

    CHECK_OK(mp_stats_get(&stats));
    return stats.blocks;
}

/* What a killed process held may be swept a moment after its end. */
static int blocks_left(uint64_t before)
{
    int64_t guard = now_ns() + (int64_t)(5e9 * run_scale);
    uint64_t now;

    while ((now = blocks_now()) != before && now_ns() < guard)
        sleep_ms(5);
    if (now == before)
        return 0;
    fprintf(stderr, "left behind: %llu shared blocks, there were %llu\n", (unsigned long long)now,
            (unsigned long long)before);
    return 1;
}

static void warm_up(void)
{
    mp_lock *l;

    CHECK_OK(mp_lock_new(&l, NULL));
    CHECK_OK(mp_lock_free(l));
}

/* ---- one test ---- */

static void ended_early(void)
{
    if (finished || getpid() != test_process)
        return;
    fprintf(stderr, "the test left the process before its end\n");
    fflush(stdout);
    _exit(1);
}

static int run_body(const test *t)
{
    static descriptors before, after;
    uint64_t blocks = 0;
    int bad;

    if (!t->cold) {
        warm_up();
        blocks = blocks_now();
    }
    descriptors_take(&before);
    t->body();
    if (t->cold && strcmp(run_start, "forkserver") == 0)
        CHECK_OK(mp_forkserver_stop());
    descriptors_take(&after);
    bad = descriptors_compare(&before, &after, t->cold) + children_left();
    if (!t->cold)
        bad += blocks_left(blocks);
    return bad != 0;
}

int run_inside(const char *name, int argc, char **argv)
{
    const test *t;
    char full[128];
    int code;

    for (t = registered; t != NULL; t = t->next) {
        test_full_name(t, full, sizeof full);
        if (strcmp(full, name) == 0)
            break;
    }
    if (t == NULL) {
        fprintf(stderr, "no such test: %s\n", name);
        return 2;
    }
    test_process = getpid();
    atexit(ended_early);
    if (strcmp(run_start, "spawn") == 0)
        CHECK_OK(mp_set_start_method(MP_START_SPAWN, false));
    if (strcmp(run_start, "forkserver") == 0)
        CHECK_OK(mp_set_start_method(MP_START_FORKSERVER, false));
    if (!t->cold)
        CHECK_OK(mp_bootstrap(argc, argv));
    if (!t->cold && strcmp(run_start, "forkserver") == 0)
        CHECK_OK(mp_forkserver_start());
    code = run_body(t);
    finished = true;
    return code;
}
