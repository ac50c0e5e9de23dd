/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The floor under every call: versions, statuses, last error, time, buffers. */
#include "test_util.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_process(mp_child *self, void *user)
{
    return self == NULL && user == NULL;
}

TEST(floor, version)
{
    char text[64];

    snprintf(text, sizeof text, "%d.%d.%d", MP_VERSION_MAJOR, MP_VERSION_MINOR, MP_VERSION_PATCH);
    CHECK(strcmp(text, MP_VERSION_STRING) == 0);
    CHECK(strcmp(text, mp_version()) == 0);
}

TEST(floor, status_names)
{
    static const struct {
        int status, number;
        const char *name;
    } all[] = {
#define ROW(name, number) {name, number, #name}
        ROW(MP_OK, 0),
        ROW(MP_OWNER_DIED, 1),
        ROW(MP_ERR_INVALID, -1),
        ROW(MP_ERR_BAD_HANDLE, -2),
        ROW(MP_ERR_STATE, -3),
        ROW(MP_ERR_NOT_INITIALIZED, -4),
        ROW(MP_ERR_UNSUPPORTED, -5),
        ROW(MP_ERR_NO_MEMORY, -6),
        ROW(MP_ERR_OS, -7),
        ROW(MP_ERR_PANIC, -8),
        ROW(MP_ERR_TIMEOUT, -9),
        ROW(MP_ERR_EMPTY, -10),
        ROW(MP_ERR_FULL, -11),
        ROW(MP_ERR_EOF, -12),
        ROW(MP_ERR_CLOSED, -13),
        ROW(MP_ERR_TOO_SMALL, -14),
        ROW(MP_ERR_AUTH, -15),
        ROW(MP_ERR_BROKEN_BARRIER, -16),
        ROW(MP_ERR_NOT_OWNER, -17),
        ROW(MP_ERR_OVER_RELEASE, -18),
        ROW(MP_ERR_UNKNOWN_TARGET, -19),
        ROW(MP_ERR_TASK_FAILED, -20),
        ROW(MP_ERR_WORKER_DIED, -21),
        ROW(MP_ERR_CANCELLED, -22),
        ROW(MP_ERR_REMOTE, -23),
        ROW(MP_ERR_EXISTS, -24),
        ROW(MP_ERR_NOT_FOUND, -25),
#undef ROW
    };
    size_t i;

    for (i = 0; i < COUNT(all); i++) {
        CHECK_INT(all[i].status, all[i].number);
        CHECK(strcmp(mp_status_name(all[i].status), all[i].name) == 0);
        CHECK(mp_status_name(all[i].status) == mp_status_name(all[i].status));
    }
    CHECK(strcmp(mp_status_name(2), "unknown status") == 0);
    CHECK(strcmp(mp_status_name(-26), "unknown status") == 0);
    CHECK(strcmp(mp_status_name(INT_MIN), "unknown status") == 0);
    CHECK(strcmp(mp_status_name(INT_MAX), "unknown status") == 0);
}

TEST(floor, failed_is_below_zero)
{
    int s;

    for (s = -24; s < 0; s++)
        CHECK(MP_FAILED(s) && mp_failed(s));
    CHECK(!MP_FAILED(MP_OK) && !mp_failed(MP_OK));
    CHECK(!MP_FAILED(MP_OWNER_DIED) && !mp_failed(MP_OWNER_DIED));
}

static void *fresh_thread(void *unused)
{
    CHECK(strcmp(mp_last_error(), "") == 0);
    CHECK_INT(mp_last_errno(), 0);
    CHECK_FAILS(mp_value_free((mp_value *)(void *)&unused));
    CHECK_CONTAINS(mp_last_error(), "mp_value_free");
    return unused;
}

TEST(floor, last_error_is_per_thread)
{
    pthread_t thread;
    char before[512];

    CHECK_FAILS(mp_lock_new(NULL, NULL));
    snprintf(before, sizeof before, "%s", mp_last_error());
    CHECK(pthread_create(&thread, NULL, fresh_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(strcmp(mp_last_error(), before) == 0);
    CHECK_CONTAINS(mp_last_error(), "mp_lock_new");
}

TEST(floor, success_keeps_last_error)
{
    char before[512];
    mp_lock *l;
    mp_value *v;

    CHECK_FAILS(mp_array_new(NULL, MP_INT32, 1, NULL, NULL));
    snprintf(before, sizeof before, "%s", mp_last_error());
    CHECK_OK(mp_lock_new(&l, NULL));
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_value_new(&v, MP_DOUBLE, NULL, NULL));
    CHECK_OK(mp_value_free(v));
    CHECK(strcmp(mp_last_error(), before) == 0);
}

TEST(floor, last_error_before_any_failure)
{
    CHECK(strcmp(mp_last_error(), "") == 0);
    CHECK_INT(mp_last_errno(), 0);
}

TEST(floor, times)
{
    static const int64_t some[] = {0, 1, -1, 999, 3600, -3600, 1000000};
    size_t i;

    for (i = 0; i < COUNT(some); i++) {
        CHECK_INT(mp_ms(some[i]), MP_MS(some[i]));
        CHECK_INT(mp_sec(some[i]), MP_SEC(some[i]));
    }
    CHECK_INT(MP_MS(1), 1000000);
    CHECK_INT(MP_SEC(1), 1000000000);
    CHECK_INT(MP_MS(1 + 1), 2000000);
    CHECK_INT(MP_NO_WAIT, 0);
    CHECK(MP_FOREVER == INT64_MAX);
    CHECK(mp_no_wait() == MP_NO_WAIT && mp_forever() == MP_FOREVER);
    CHECK(mp_ms(INT64_MAX) == MP_FOREVER && mp_sec(INT64_MAX / 2) == MP_FOREVER);
}

TEST(floor, negative_timeout_does_not_wait)
{
    mp_lock *l = lock_new();

    CHECK_OK(mp_lock_acquire(l, -1));
    CHECK_STATUS(mp_lock_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_lock_acquire(l, -1), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_lock_acquire(l, MP_SEC(-5)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_lock_acquire(l, INT64_MIN), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_acquire(l, INT64_MIN));
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

/* ---- buffers ---- */

static void buffer_of(size_t len)
{
    unsigned char *data = malloc(len + 1);
    const unsigned char *copy;
    mp_buffer *b;
    size_t i, got = 12345;

    CHECK(data != NULL);
    for (i = 0; i < len; i++)
        data[i] = (unsigned char)(i * 7 + i / 251);
    CHECK_OK(mp_buffer_new(&b, data, len));
    memset(data, 0xEE, len);
    copy = mp_buffer_data(b, &got);
    CHECK_INT(got, len);
    CHECK(len == 0 || copy != NULL);
    for (i = 0; i < len; i++)
        CHECK(copy[i] == (unsigned char)(i * 7 + i / 251));
    CHECK(mp_buffer_data(b, NULL) == copy);
    CHECK_OK(mp_buffer_free(b));
    free(data);
}

TEST(floor, buffers)
{
    mp_buffer *b;
    size_t len = 5;

    buffer_of(1);
    buffer_of(0);
    buffer_of(4096);
    buffer_of((size_t)3 << 20);
    CHECK_OK(mp_buffer_new(&b, NULL, 0));
    CHECK(mp_buffer_data(b, &len) != NULL);
    CHECK_INT(len, 0);
    CHECK_OK(mp_buffer_free(b));
    CHECK_FAILS(mp_buffer_new(&b, NULL, 1));
    CHECK_FAILS(mp_buffer_new(NULL, "x", 1));
}

/* A length that no memory has. The pointer must not be read before that is found out. */
TEST(floor, buffer_of_absurd_length)
{
    mp_buffer *b;

    CHECK_FAILS(mp_buffer_new(&b, "x", SIZE_MAX));
    CHECK_FAILS(mp_buffer_new(&b, "x", SIZE_MAX / 2));
    CHECK_STATUS(mp_buffer_new(&b, "x", (size_t)1 << 50), MP_ERR_NO_MEMORY);
}

TEST(floor, results_are_untouched_on_failure)
{
    mp_lock_options wrong = {0, false, NULL, 0, 0};
    mp_value *v = flag_new();
    int64_t number = 77;
    double real = 7.5;
    void *mark = &number;
    mp_lock *l = mark;
    mp_array *a = mark;
    mp_buffer *b = mark;
    mp_process *p;
    int code = 77;

    CHECK_FAILS(mp_lock_new(&l, &wrong));
    CHECK_FAILS(mp_array_new(&a, 0, 1, NULL, NULL));
    CHECK_FAILS(mp_buffer_new(&b, NULL, 1));
    CHECK_FAILS(mp_value_get_double(v, &real));
    CHECK_FAILS(mp_value_get(v, &number, 4));
    CHECK_OK(mp_process_new(&p, no_process, NULL, NULL));
    CHECK_FAILS(mp_process_exitcode(p, &code));
    CHECK_FAILS(mp_process_pid(p, &code));
    CHECK((void *)l == mark && (void *)a == mark && (void *)b == mark);
    CHECK(number == 77 && real == 7.5 && code == 77);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_value_free(v));
}

TEST(floor, bootstrap_again)
{
    char name[] = "program", *argv[] = {name, NULL};

    CHECK_OK(mp_bootstrap(1, argv));
    CHECK_OK(mp_bootstrap(1, argv));
    CHECK_OK(mp_bootstrap(0, NULL));
}

TEST(floor, stats)
{
    mp_stats before = stats_now(), with;
    mp_lock *l = lock_new();

    with = stats_now();
    CHECK(with.blocks > before.blocks);
    CHECK(with.processes >= 1);
    CHECK(with.bytes_reserved >= with.bytes_used);
    CHECK_OK(mp_lock_free(l));
    CHECK_INT(stats_now().blocks, before.blocks);
}

/* ---- a fork's own handles, where the parent has had many ---- */

enum { PARENTS = 600, CHILDS = 3000 };

static mp_lock *parents[PARENTS], *childs[CHILDS];

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (mp_lock *const *)a, y = (uintptr_t) * (mp_lock *const *)b;

    return x < y ? -1 : x > y;
}

static int makes_handles(void *unused)
{
    int i;

    CHECK(unused == NULL);
    /* Some before the parent's are given back, some after it. */
    for (i = 0; i < CHILDS / 150; i++)
        childs[i] = lock_new();
    for (i = 1; i < PARENTS; i += 2)
        CHECK_OK(mp_lock_free(parents[i]));
    for (i = CHILDS / 150; i < CHILDS; i++)
        childs[i] = lock_new();
    for (i = 0; i < PARENTS; i++)
        CHECK_STATUS(mp_lock_acquire(parents[i], MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    for (i = 0; i < CHILDS; i++)
        CHECK_OK(mp_lock_acquire(childs[i], MP_NO_WAIT));
    qsort(childs, CHILDS, sizeof *childs, by_address);
    for (i = 1; i < CHILDS; i++)
        CHECK(childs[i] != childs[i - 1]);
    for (i = 0; i < CHILDS; i++) {
        CHECK_OK(mp_lock_release(childs[i]));
        CHECK_OK(mp_lock_free(childs[i]));
    }
    /* Again, out of those that were freed. */
    for (i = 0; i < CHILDS; i++)
        childs[i] = lock_new();
    for (i = 0; i < CHILDS; i++)
        CHECK_OK(mp_lock_acquire(childs[i], MP_NO_WAIT));
    return 7;
}

TEST(floor, handles_of_a_fork_beside_many_of_its_parents)
{
    int i;

    for (i = 0; i < PARENTS; i++)
        parents[i] = lock_new();
    for (i = 0; i < PARENTS; i += 2)
        CHECK_OK(mp_lock_free(parents[i]));
    CHECK_INT(in_fork(makes_handles, NULL), 7);
    for (i = 1; i < PARENTS; i += 2)
        CHECK_OK(mp_lock_free(parents[i]));
}
