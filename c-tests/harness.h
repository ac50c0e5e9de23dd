/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a test needs: TEST, the checks, and helpers. The runner gives each test a process of its own. */
#ifndef HARNESS_H
#define HARNESS_H

#include <mp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- tests ---- */

typedef struct test {
    const char *noun, *name, *file;
    int line, seconds;
    bool cold;
    void (*body)(void);
    struct test *next;
} test;

void test_register(test *t);

#define TEST_DEFINE(noun_, name_, seconds_, cold_)                                                 \
    static void noun_##_##name_##_body(void);                                                      \
    static test noun_##_##name_##_test = {#noun_,   #name_, __FILE__,                              \
                                          __LINE__, seconds_, cold_,                               \
                                          noun_##_##name_##_body, NULL};                           \
    __attribute__((constructor)) static void noun_##_##name_##_register(void)                      \
    {                                                                                              \
        test_register(&noun_##_##name_##_test);                                                    \
    }                                                                                              \
    static void noun_##_##name_##_body(void)

/* TEST(lock, try) { ... } is the test "lock.try". It may take 30 seconds. */
#define TEST(noun, name) TEST_DEFINE(noun, name, 30, false)
#define TEST_T(noun, name, seconds) TEST_DEFINE(noun, name, seconds, false)
/* The library has not been used in this process when the body begins. */
#define TEST_COLD(noun, name) TEST_DEFINE(noun, name, 30, true)

/* The start method under test: "fork", "spawn" or "forkserver". */
const char *test_start_method(void);

/* ---- checks: a failure is printed and ends the process with 1, in children and threads too ---- */

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, "CHECK(" #cond ")", ""))
/* MP_OK and nothing else. */
#define CHECK_OK(call) check_ok(__FILE__, __LINE__, #call, (int)(call))
/* This status; for an error also a last error that begins with the called function's name. */
#define CHECK_STATUS(call, want) check_status(__FILE__, __LINE__, #call, (int)(call), want, NULL)
/* The same, and the last error contains the text. */
#define CHECK_SENTENCE(call, want, text)                                                           \
    check_status(__FILE__, __LINE__, #call, (int)(call), want, text)
/* Some error, for places where the API does not say which. */
#define CHECK_FAILS(call) check_fails(__FILE__, __LINE__, #call, (int)(call))
/* Success or an error with a sentence; gives the status. */
#define CHECK_CLEAN(call) check_clean(__FILE__, __LINE__, #call, (int)(call))
/* A NULL pointer and a last error that begins with the called function's name. */
#define CHECK_NULL(call) check_null(__FILE__, __LINE__, #call, (call))
#define CHECK_INT(a, b)                                                                            \
    check_int(__FILE__, __LINE__, "CHECK_INT(" #a ", " #b ")", (long long)(a), (long long)(b))
#define CHECK_CONTAINS(text, part) check_contains(__FILE__, __LINE__, #text, text, part)
#define SKIP(why) skip(why)

void check_failed(const char *file, int line, const char *what, const char *detail);
void check_ok(const char *file, int line, const char *call, int status);
void check_status(const char *file, int line, const char *call, int status, int want,
                  const char *text);
void check_fails(const char *file, int line, const char *call, int status);
int check_clean(const char *file, int line, const char *call, int status);
void check_null(const char *file, int line, const char *call, const void *pointer);
void check_int(const char *file, int line, const char *what, long long a, long long b);
void check_contains(const char *file, int line, const char *what, const char *text,
                    const char *part);
void skip(const char *why);

/* ---- time ---- */

int64_t now_ns(void);
void sleep_ms(int64_t milliseconds);
/* Polls until the predicate holds; false after 30 seconds. */
bool wait_until(bool (*predicate)(void *), void *arg);

/* ---- chance: the seed is printed, and MP_TEST_SEED repeats it ---- */

typedef struct rng {
    uint64_t state;
} rng;

rng rng_new(void);
uint64_t rng_next(rng *r);
uint64_t rng_below(rng *r, uint64_t limit);

/* ---- processes ---- */

typedef struct proc_info {
    pid_t pid, ppid, session;
    char state, comm[32];
} proc_info;

bool proc_read(pid_t pid, proc_info *out);
/* Every process of the machine, zombies too; gives how many were written. */
size_t proc_list(proc_info *out, size_t max);
/* The children that run; gives how many were written. */
size_t children_of(pid_t parent, pid_t *out, size_t max);
/* Ended, reaped or not. */
bool process_gone(pid_t pid);
/* A signal for a child of this process; never for a stranger who got the number since. */
bool signal_child(pid_t child, int signal_number);
/* Plain fork(2): runs fn in the child, beside its parent. */
pid_t fork_begin(int (*fn)(void *), void *arg);
/* How it ended: its exit code, or -N for signal N. */
int fork_end(pid_t child);
/* Both. */
int in_fork(int (*fn)(void *), void *arg);

/* ---- memory and descriptors ---- */

/* How many kills the long form is asked for by MP_HAMMER; else so many. */
int kills_wanted(int otherwise);

/* Zeroed memory that a plain fork shares. */
void *shared_new(size_t bytes);
void shared_free(void *memory, size_t bytes);
/* Fills the descriptor table but for a few places. */
void fill_descriptors(int leave);
void release_descriptors(void);
int open_descriptors(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
