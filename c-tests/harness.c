/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The checks, and the helpers for time, chance, memory and descriptors. */
#include "harness.h"
#include "runner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- checks ---- */

void check_failed(const char *file, int line, const char *what, const char *detail)
{
    fflush(stdout);
    /* One write, so that the lines of several processes do not mix. */
    dprintf(STDERR_FILENO, "%s:%d" CHECK_MARK "%s%s%s [process %ld]\n  last error: \"%s\"\n", file,
            line, what, *detail ? ": " : "", detail, (long)getpid(), mp_last_error());
    _exit(1);
}

/* The name of the called function, "" where the text is not a call of the library. */
static void function_name(const char *call, char *name, size_t size)
{
    size_t n = 0;

    if (strncmp(call, "mp_", 3) == 0)
        while (n + 1 < size && (isalnum((unsigned char)call[n]) || call[n] == '_'))
            n++;
    memcpy(name, call, n);
    name[n] = '\0';
}

static void check_sentence(const char *file, int line, const char *call, const char *text)
{
    const char *sentence = mp_last_error();
    char name[128], detail[200];

    function_name(call, name, sizeof name);
    if (sentence == NULL || *sentence == '\0')
        check_failed(file, line, call, "no last error");
    if (strncmp(sentence, name, strlen(name)) != 0) {
        snprintf(detail, sizeof detail, "the last error does not begin with %s", name);
        check_failed(file, line, call, detail);
    }
    if (text != NULL && strstr(sentence, text) == NULL) {
        snprintf(detail, sizeof detail, "the last error does not contain \"%s\"", text);
        check_failed(file, line, call, detail);
    }
}

void check_ok(const char *file, int line, const char *call, int status)
{
    char detail[100];

    if (status == MP_OK)
        return;
    snprintf(detail, sizeof detail, "gave %s (%d), want MP_OK", mp_status_name(status), status);
    check_failed(file, line, call, detail);
}

void check_status(const char *file, int line, const char *call, int status, int want,
                  const char *text)
{
    char detail[200];

    if (status != want) {
        snprintf(detail, sizeof detail, "gave %s (%d), want %s (%d)", mp_status_name(status),
                 status, mp_status_name(want), want);
        check_failed(file, line, call, detail);
    }
    if (want < 0)
        check_sentence(file, line, call, text);
}

void check_fails(const char *file, int line, const char *call, int status)
{
    char detail[100];

    if (status >= 0) {
        snprintf(detail, sizeof detail, "gave %s (%d), want an error", mp_status_name(status),
                 status);
        check_failed(file, line, call, detail);
    }
    check_sentence(file, line, call, NULL);
}

int check_clean(const char *file, int line, const char *call, int status)
{
    if (status < 0)
        check_sentence(file, line, call, NULL);
    else
        check_ok(file, line, call, status);
    return status;
}

void check_null(const char *file, int line, const char *call, const void *pointer)
{
    if (pointer != NULL)
        check_failed(file, line, call, "gave a pointer, want NULL");
    check_sentence(file, line, call, NULL);
}

void check_int(const char *file, int line, const char *what, long long a, long long b)
{
    char detail[100];

    if (a == b)
        return;
    snprintf(detail, sizeof detail, "%lld is not %lld", a, b);
    check_failed(file, line, what, detail);
}

void check_contains(const char *file, int line, const char *what, const char *text,
                    const char *part)
{
    char detail[400];

    if (text != NULL && strstr(text, part) != NULL)
        return;
    snprintf(detail, sizeof detail, "\"%.150s\" does not contain \"%.150s\"",
             text == NULL ? "(NULL)" : text, part);
    check_failed(file, line, what, detail);
}

void skip(const char *why)
{
    printf(SKIP_MARK "%s\n", why);
    fflush(stdout);
    _exit(EXIT_SKIPPED);
}

/* ---- time ---- */

int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void sleep_ms(int64_t milliseconds)
{
    struct timespec rest = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};

    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        continue;
}

bool wait_until(bool (*predicate)(void *), void *arg)
{
    int64_t guard = now_ns() + (int64_t)(30e9 * run_scale);

    while (!predicate(arg)) {
        if (now_ns() > guard)
            return false;
        sleep_ms(1);
    }
    return true;
}

/* ---- chance ---- */

rng rng_new(void)
{
    const char *wish = getenv("MP_TEST_SEED");
    rng r;

    r.state = (uint64_t)now_ns() ^ (uint64_t)getpid() << 40;
    if (wish != NULL)
        r.state = strtoull(wish, NULL, 0);
    if (r.state == 0)
        r.state = 1;
    printf("MP_TEST_SEED=%llu\n", (unsigned long long)r.state);
    return r;
}

uint64_t rng_next(rng *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

uint64_t rng_below(rng *r, uint64_t limit)
{
    return (rng_next(r) >> 11) % limit;
}

/* ---- memory and descriptors ---- */

int kills_wanted(int otherwise)
{
    const char *text = getenv("MP_HAMMER");
    int wanted = text == NULL ? otherwise : atoi(text);

    CHECK(wanted > 0);
    return wanted;
}

void *shared_new(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

void shared_free(void *memory, size_t bytes)
{
    CHECK(munmap(memory, bytes) == 0);
}

static int filled[1024];
static int filled_count;
static struct rlimit unfilled;

void fill_descriptors(int leave)
{
    struct rlimit low;
    int fd;

    CHECK(filled_count == 0 && getrlimit(RLIMIT_NOFILE, &unfilled) == 0);
    low = unfilled;
    /* A low limit makes the table full with a few hundred descriptors. */
    if (low.rlim_cur > COUNT(filled))
        low.rlim_cur = COUNT(filled);
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        filled[filled_count++] = fd;
    CHECK(errno == EMFILE);
    while (leave-- > 0 && filled_count > 0)
        close(filled[--filled_count]);
}

void release_descriptors(void)
{
    while (filled_count > 0)
        close(filled[--filled_count]);
    CHECK(setrlimit(RLIMIT_NOFILE, &unfilled) == 0);
}

int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = -1; /* The directory's own. */
    struct dirent *e;

    CHECK(dir != NULL);
    while ((e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.')
            count++;
    closedir(dir);
    return count;
}
