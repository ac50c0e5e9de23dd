/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a child is handed: bytes of every length, handles, and wrong questions about them. */
#include "test_util.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static mp_process *process_new(mp_process_fn fn)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, fn, NULL, NULL));
    return p;
}

static int end_of(mp_process *p)
{
    CHECK_OK(mp_process_start(p));
    return child_end(p);
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 131 + i / 255);
}

/* Argument i has i*i bytes, from 0 on; the last one has 1 MiB. */
enum { SQUARES = 40, MIB = 1 << 20 };

static int checks_lengths(mp_child *self, void *user)
{
    size_t i, k, len, want;

    CHECK(user == NULL);
    CHECK_INT(mp_child_count(self), SQUARES + 1);
    for (i = 0; i <= SQUARES; i++) {
        const unsigned char *data = mp_child_bytes(self, i, &len);

        want = i < SQUARES ? i * i : MIB;
        CHECK(data != NULL);
        CHECK_INT(len, want);
        for (k = 0; k < len; k++)
            CHECK(data[k] == byte_at(k));
    }
    return 0;
}

/* Copied at the call: the caller's memory is overwritten at once. */
TEST(process, bytes_of_all_lengths)
{
    unsigned char *data = malloc(MIB);
    mp_process *p = process_new(checks_lengths);
    size_t i, k;

    CHECK(data != NULL);
    for (i = 0; i <= SQUARES; i++) {
        size_t len = i < SQUARES ? i * i : MIB;

        for (k = 0; k < len; k++)
            data[k] = byte_at(k);
        CHECK_OK(mp_process_add_bytes(p, data, len));
        memset(data, 0xAA, len);
    }
    free(data);
    CHECK_INT(end_of(p), 0);
}

static int checks_thousand(mp_child *self, void *user)
{
    int i;

    CHECK(user == NULL);
    CHECK_INT(mp_child_count(self), 1000);
    for (i = 0; i < 1000; i++) {
        CHECK_INT(child_number(self, i), i);
    }
    return 0;
}

TEST(process, thousand_arguments)
{
    mp_process *p = process_new(checks_thousand);
    int i;

    for (i = 0; i < 1000; i++)
        child_add_number(p, i);
    CHECK_INT(end_of(p), 0);
}

TEST(process, too_many_arguments)
{
    mp_process *p = process_new(checks_thousand);
    mp_lock *l = lock_new();
    int i;

    for (i = 0; i < 65536; i++)
        CHECK_OK(mp_process_add_bytes(p, NULL, 0));
    CHECK_STATUS(mp_process_add_bytes(p, NULL, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_process_add_handle(p, l), MP_ERR_INVALID);
    CHECK_OK(mp_process_free(p));
    CHECK_OK(mp_lock_free(l));
}

static int checks_none(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_INT(mp_child_count(self), 0);
    CHECK_NULL(mp_child_bytes(self, 0, NULL));
    CHECK_NULL(mp_child_lock(self, 0));
    return 0;
}

TEST(process, no_arguments)
{
    CHECK_INT(end_of(process_new(checks_none)), 0);
}

/* Arguments: bytes, lock, value, array. Each is asked for as each, and past the end. */
static int asks_wrongly(mp_child *self, void *user)
{
    static const size_t far[] = {4, 5, 1000, SIZE_MAX / 2, SIZE_MAX};
    size_t len, i;

    CHECK(user == NULL);
    CHECK_INT(mp_child_count(self), 4);
    for (i = 0; i < 4; i++) {
        if (i != 0)
            CHECK_NULL(mp_child_bytes(self, i, &len));
        if (i != 1)
            CHECK_NULL(mp_child_lock(self, i));
        if (i != 2)
            CHECK_NULL(mp_child_value(self, i));
        if (i != 3)
            CHECK_NULL(mp_child_array(self, i));
    }
    for (i = 0; i < COUNT(far); i++) {
        CHECK_NULL(mp_child_bytes(self, far[i], &len));
        CHECK_NULL(mp_child_lock(self, far[i]));
        CHECK_NULL(mp_child_value(self, far[i]));
        CHECK_NULL(mp_child_array(self, far[i]));
    }
    CHECK(mp_child_bytes(self, 0, NULL) != NULL);
    CHECK(mp_child_lock(self, 1) != NULL);
    CHECK(mp_child_value(self, 2) != NULL);
    CHECK(mp_child_array(self, 3) != NULL);
    CHECK(mp_child_lock(self, 1) == mp_child_lock(self, 1));
    return 0;
}

TEST(process, wrong_questions)
{
    mp_process *p = process_new(asks_wrongly);
    mp_value *v = flag_new();
    mp_lock *l = lock_new();
    mp_array *a;

    CHECK_OK(mp_array_new(&a, MP_INT8, 3, NULL, NULL));
    CHECK_OK(mp_process_add_bytes(p, "bytes", 5));
    CHECK_OK(mp_process_add_handle(p, l));
    CHECK_OK(mp_process_add_handle(p, v));
    CHECK_OK(mp_process_add_handle(p, a));
    CHECK_INT(end_of(p), 0);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

/* ---- handles ---- */

static int uses_handles(mp_child *self, void *user)
{
    mp_lock *l = mp_child_lock(self, 0);
    mp_value *v = mp_child_value(self, 1);
    mp_array *a = mp_child_array(self, 2);
    int64_t x;

    CHECK(user == NULL);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_value_fetch_add(v, 10, &x));
    CHECK_INT(x, 5);
    CHECK_OK(mp_array_get_int(a, 1, &x));
    CHECK_INT(x, 22);
    CHECK_OK(mp_array_set_int(a, 2, 33));
    CHECK_OK(mp_lock_release(l));
    return 0;
}

TEST(process, handles_arrive)
{
    mp_value *v = flag_new();
    mp_lock *l = lock_new();
    mp_array *a;
    int64_t x;

    CHECK_OK(mp_array_new(&a, MP_INT16, 3, NULL, NULL));
    CHECK_OK(mp_array_set_int(a, 1, 22));
    flag_set(v, 5);
    CHECK_INT(child_end(CHILD_START(uses_handles, l, v, a)), 0);
    CHECK_INT(flag_get(v), 15);
    CHECK_OK(mp_array_get_int(a, 2, &x));
    CHECK_INT(x, 33);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

/* The process holds what it was given; its giver may forget it before the start. */
TEST(process, handles_freed_before_the_start)
{
    mp_process *p = process_new(uses_handles);
    mp_value *v = flag_new(), *other;
    mp_lock *l = lock_new();
    mp_array *a;
    int i;

    CHECK_OK(mp_array_new(&a, MP_INT16, 3, NULL, NULL));
    CHECK_OK(mp_array_set_int(a, 1, 22));
    flag_set(v, 5);
    CHECK_OK(mp_process_add_handle(p, l));
    CHECK_OK(mp_process_add_handle(p, v));
    CHECK_OK(mp_process_add_handle(p, a));
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
    for (i = 0; i < 100; i++) {
        other = flag_new();
        CHECK_OK(mp_value_free(other));
    }
    CHECK_INT(end_of(p), 0);
}

static int same_lock_thrice(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_INT(mp_child_count(self), 3);
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 0), MP_NO_WAIT));
    CHECK_STATUS(mp_lock_acquire(mp_child_lock(self, 1), MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(mp_child_lock(self, 2)));
    return 0;
}

TEST(process, same_handle_several_times)
{
    mp_lock *l = lock_new();
    int i;

    for (i = 0; i < 20; i++)
        CHECK_INT(child_end(CHILD_START(same_lock_thrice, l, l, l)), 0);
    CHECK_OK(mp_lock_free(l));
}

TEST(process, handles_that_cannot_travel)
{
    mp_process *p = process_new(checks_none), *q = process_new(checks_none);
    mp_lock *freed = lock_new();
    mp_buffer *b;
    mp_pool *pool;
    int here = 0;

    CHECK_OK(mp_lock_free(freed));
    CHECK_OK(mp_buffer_new(&b, "abc", 3));
    CHECK_OK(mp_pool_new(&pool, NULL));
    CHECK_STATUS(mp_process_add_handle(p, q), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_process_add_handle(p, p), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_process_add_handle(p, b), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_process_add_handle(p, pool), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_process_add_handle(p, freed), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_process_add_handle(p, &here), MP_ERR_BAD_HANDLE);
    CHECK_INT(end_of(p), 0);
    CHECK_OK(mp_process_free(q));
    CHECK_OK(mp_buffer_free(b));
    CHECK_OK(mp_pool_free(pool));
}

static int passes_on(mp_child *self, void *user)
{
    CHECK(user == NULL);
    return child_end(CHILD_START(uses_handles, mp_child_lock(self, 0), mp_child_value(self, 1),
                                 mp_child_array(self, 2)));
}

TEST(process, handles_passed_on)
{
    mp_value *v = flag_new();
    mp_lock *l = lock_new();
    mp_array *a;

    CHECK_OK(mp_array_new(&a, MP_INT16, 3, NULL, NULL));
    CHECK_OK(mp_array_set_int(a, 1, 22));
    flag_set(v, 5);
    CHECK_INT(child_end(CHILD_START(passes_on, l, v, a)), 0);
    CHECK_INT(flag_get(v), 15);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

static int makes_its_own(mp_child *self, void *user)
{
    mp_lock *l = lock_new();
    mp_value *v = flag_new();
    mp_array *a;

    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK_OK(mp_array_new(&a, MP_DOUBLE, 100000, NULL, NULL));
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    return v == NULL;
}

/* What a child made and never freed goes with it. */
TEST(process, what_a_child_made_goes_with_it)
{
    int i;

    for (i = 0; i < 20; i++)
        CHECK_INT(end_of(process_new(makes_its_own)), 0);
}

static int fixed = 17;

static int gets_user(mp_child *self, void *user)
{
    CHECK_INT(mp_child_count(self), 0);
    return *(int *)user;
}

TEST(process, user_pointer)
{
    mp_process *p;

    if (strcmp(test_start_method(), "fork") != 0)
        SKIP("a pointer means the same only in a copy of this process");
    CHECK_OK(mp_process_new(&p, gets_user, &fixed, NULL));
    CHECK_INT(end_of(p), 17);
}
