/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "test_util.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

mp_process *child_start(mp_process_fn fn, const void *const *handles)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    for (; *handles != NULL; handles++)
        CHECK_OK(mp_process_add_handle(p, *handles));
    CHECK_OK(mp_process_start(p));
    return p;
}

int child_pid(const mp_process *p)
{
    int pid;

    CHECK_OK(mp_process_pid(p, &pid));
    CHECK(pid > 0);
    return pid;
}

int child_end(mp_process *p)
{
    int code;

    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_OK(mp_process_free(p));
    return code;
}

mp_process *child_new(mp_process_fn fn, const mp_process_options *o)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, o));
    return p;
}

int child_waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_wait(mp_child_value(self, 0), 1);
    return 4;
}

void check_same_text(const char *got, const char *want)
{
    bool same = got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;

    if (!same)
        fprintf(stderr, "got:\n%s\nand not:\n%s\n", got == NULL ? "NULL" : got,
                want == NULL ? "NULL" : want);
    CHECK(same);
}

int child_number(mp_child *self, size_t i)
{
    size_t len = 0;
    const void *data = mp_child_bytes(self, i, &len);
    int number;

    CHECK(data != NULL);
    CHECK_INT(len, sizeof number);
    memcpy(&number, data, sizeof number);
    return number;
}

void child_add_number(mp_process *p, int number)
{
    CHECK_OK(mp_process_add_bytes(p, &number, sizeof number));
}

mp_lock *lock_new(void)
{
    mp_lock *l;

    CHECK_OK(mp_lock_new(&l, NULL));
    return l;
}

mp_value *flag_new(void)
{
    mp_value *v;

    CHECK_OK(mp_value_new(&v, MP_INT64, NULL, NULL));
    return v;
}

int64_t flag_get(mp_value *flag)
{
    int64_t x;

    CHECK_OK(mp_value_get_int(flag, &x));
    return x;
}

void flag_set(mp_value *flag, int64_t x)
{
    CHECK_OK(mp_value_set_int(flag, x));
}

typedef struct wish {
    mp_value *flag;
    int64_t x;
} wish;

static bool flag_is(void *arg)
{
    wish *w = arg;

    return flag_get(w->flag) == w->x;
}

void flag_wait(mp_value *flag, int64_t x)
{
    wish w = {flag, x};

    CHECK(wait_until(flag_is, &w));
}

mp_stats stats_now(void)
{
    mp_stats stats = MP_STATS;

    CHECK_OK(mp_stats_get(&stats));
    return stats;
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static void every(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

void alarms_start(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = count_alarm;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    alarms = 0;
    every(3000);
}

int alarms_stop(void)
{
    every(0);
    return alarms;
}

long pages_of(pid_t pid)
{
    char path[64];
    long size = 0, resident = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    f = fopen(path, "r");
    CHECK(f != NULL && fscanf(f, "%ld %ld", &size, &resident) == 2);
    fclose(f);
    return resident;
}

rlim_t address_space(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    CHECK(f != NULL && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

void scribble(volatile uint64_t *words, rng *r, size_t from, size_t to)
{
    size_t at = from + rng_below(r, to - from);

    switch (rng_below(r, 6)) {
    case 0:
        words[at] = rng_next(r);
        break;
    case 1:
        words[at] ^= (uint64_t)1 << rng_below(r, 64);
        break;
    case 2:
        words[at] += rng_below(r, 9) - 4;
        break;
    case 3:
        words[at] = words[from + rng_below(r, to - from)];
        break;
    case 4:
        words[at] = UINT64_MAX;
        break;
    default:
        words[at] = 0;
    }
}

int check_one_of(int s, const int *known, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (s == known[i])
            return s;
    CHECK_OK(s);
    return s;
}

bool gone(void *pid)
{
    return process_gone(*(pid_t *)pid);
}

unsigned long message_place(const void *message, size_t len, unsigned long *base)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to, at, place = 0;
    char line[400];

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "/memfd:libmp") != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2)
            for (at = from; at < from + (8 << 20); at += 64)
                if (memcmp((void *)(at + 8), message, len) == 0) {
                    place = at;
                    *base = from;
                }
    fclose(maps);
    CHECK(place != 0);
    return place;
}
