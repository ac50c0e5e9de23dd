/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Arrays with their locks: strings, copies, slices that are never torn, the deaths of holders. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool locked(const mp_array *a)
{
    bool yes;

    CHECK_OK(mp_array_locked(a, &yes));
    return yes;
}

static bool recovered(const mp_array *a)
{
    bool yes;

    CHECK_OK(mp_array_recovered(a, &yes));
    return yes;
}

/* ---- strings ---- */

static void has(const mp_array *a, const char *text, const char *raw)
{
    char got[16], bytes[8];
    size_t needed = 0, length;

    memset(got, 'x', sizeof got);
    CHECK_OK(mp_array_get_string(a, got, sizeof got, &needed));
    CHECK(strcmp(got, text) == 0);
    CHECK_INT(needed, strlen(text) + 1);
    CHECK(got[needed] == 'x');
    CHECK_OK(mp_array_length(a, &length));
    CHECK_OK(mp_array_read(a, 0, length, bytes, length));
    CHECK(memcmp(bytes, raw, length) == 0);
}

static void strings_of(int type)
{
    char got[8];
    size_t needed = 0;
    mp_array *a;

    CHECK_OK(mp_array_new(&a, type, 5, "hello", NULL));
    /* One that fills the array has no zero in it. */
    has(a, "hello", "hello");
    CHECK_OK(mp_array_set_string(a, "ab"));
    has(a, "ab", "ab\0lo");
    CHECK_SENTENCE(mp_array_set_string(a, "longer"), MP_ERR_INVALID, "too long: the array has 5");
    has(a, "ab", "ab\0lo");
    CHECK_OK(mp_array_set_string(a, ""));
    has(a, "", "\0b\0lo");
    CHECK_OK(mp_array_set_string(a, "HELLO"));
    has(a, "HELLO", "HELLO");
    CHECK_OK(mp_array_set_string(a, "1234"));
    has(a, "1234", "1234\0");
    CHECK_OK(mp_array_write(a, 2, 3, "\0zz", 3));
    has(a, "12", "12\0zz");
    CHECK_OK(mp_array_set_int(a, 0, 'x'));
    has(a, "x2", "x2\0zz");
    memset(got, 'x', sizeof got);
    CHECK_STATUS(mp_array_get_string(a, got, 2, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, 3);
    CHECK(got[0] == 'x');
    CHECK_STATUS(mp_array_get_string(a, got, 0, NULL), MP_ERR_TOO_SMALL);
    needed = 0;
    CHECK_STATUS(mp_array_get_string(a, NULL, 0, &needed), MP_ERR_TOO_SMALL);
    CHECK_INT(needed, 3);
    CHECK_STATUS(mp_array_get_string(a, NULL, 5, &needed), MP_ERR_INVALID);
    CHECK_OK(mp_array_get_string(a, got, 3, NULL));
    CHECK(strcmp(got, "x2") == 0);
    CHECK_STATUS(mp_array_set_string(a, NULL), MP_ERR_INVALID);
    CHECK(!locked(a));
    CHECK_OK(mp_array_free(a));
}

TEST(array, strings)
{
    strings_of('c');
    strings_of('b');
    strings_of('B');
    strings_of(MP_INT8);
    strings_of(MP_UINT8);
}

TEST(array, strings_in_what_is_not_made_of_them)
{
    static const int types[] = {'h', 'i', 'f', 'd', MP_INT64, MP_UINT16};
    size_t i, needed = 7;
    char got[8];
    mp_array *a;

    for (i = 0; i < COUNT(types); i++) {
        CHECK_OK(mp_array_new(&a, types[i], 4, NULL, NULL));
        CHECK_STATUS(mp_array_set_string(a, "a"), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_get_string(a, got, sizeof got, &needed), MP_ERR_INVALID);
        CHECK_OK(mp_array_free(a));
    }
    CHECK_OK(mp_array_new_struct(&a, 1, 4, NULL, NULL));
    CHECK_STATUS(mp_array_set_string(a, "a"), MP_ERR_INVALID);
    CHECK_OK(mp_array_free(a));
    CHECK_INT(needed, 7);
    /* An array of no chars holds the empty string. */
    CHECK_OK(mp_array_new(&a, 'c', 0, NULL, NULL));
    CHECK_OK(mp_array_set_string(a, ""));
    CHECK_STATUS(mp_array_set_string(a, "a"), MP_ERR_INVALID);
    CHECK_OK(mp_array_get_string(a, got, sizeof got, &needed));
    CHECK_INT(needed, 1);
    CHECK_OK(mp_array_free(a));
}

static int shouts(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);
    char text[8];

    CHECK(user == NULL);
    CHECK_OK(mp_array_get_string(a, text, sizeof text, NULL));
    CHECK(strcmp(text, "quiet") == 0);
    CHECK_OK(mp_array_set_string(a, "LOUD"));
    return 0;
}

TEST(array, strings_in_a_child)
{
    mp_array *a;

    CHECK_OK(mp_array_new(&a, 'c', 8, "quiet\0\0", NULL));
    CHECK_INT(child_end(CHILD_START(shouts, a)), 0);
    has(a, "LOUD", "LOUD\0\0\0\0");
    CHECK_OK(mp_array_free(a));
}

/* ---- the lock ---- */

static void *another_thread(void *arg)
{
    mp_array *a = arg;

    CHECK_STATUS(mp_array_acquire(a, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_array_acquire(a, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_array_release(a), MP_ERR_NOT_OWNER);
    /* What is atomic does not ask for it. */
    CHECK_OK(mp_array_fetch_add(a, 0, 1, NULL));
    return NULL;
}

TEST(array, has_an_rlock)
{
    int32_t some[3] = {1, 2, 3}, x;
    mp_rlock *r;
    mp_lock *l = NULL;
    pthread_t t;
    mp_array *a;
    int i;

    CHECK_OK(mp_array_new(&a, 'i', 3, some, NULL));
    CHECK(!locked(a) && !recovered(a));
    CHECK_STATUS(mp_array_release(a), MP_ERR_NOT_OWNER);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_array_write(a, 1, 2, some, 8));
    CHECK_OK(mp_array_read(a, 2, 1, &x, 4));
    CHECK_INT(x, 2);
    for (i = 0; i < 3; i++) {
        CHECK(locked(a));
        CHECK_INT(pthread_create(&t, NULL, another_thread, a), 0);
        CHECK_INT(pthread_join(t, NULL), 0);
        CHECK_OK(mp_array_release(a));
    }
    CHECK(!locked(a));
    CHECK_OK(mp_array_get_rlock(a, &r));
    CHECK_STATUS(mp_array_get_lock(a, &l), MP_ERR_STATE);
    CHECK_OK(mp_rlock_acquire(r, MP_NO_WAIT));
    CHECK(locked(a));
    CHECK_OK(mp_array_release(a));
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_array_free(a));
}

TEST(array, of_other_locks)
{
    mp_array_options o = MP_ARRAY_OPTIONS;
    mp_stats before = stats_now();
    mp_array *raw, *given, *too;
    int64_t some[2] = {3, 4}, got[2];
    mp_rlock *r = NULL;
    mp_lock *l = NULL;
    bool yes;

    o.raw = true;
    CHECK_OK(mp_array_new(&raw, 'q', 2, some, &o));
    CHECK_INT(stats_now().blocks, before.blocks + 1);
    CHECK_OK(mp_array_write(raw, 0, 1, some + 1, 8));
    CHECK_OK(mp_array_read(raw, 0, 2, got, sizeof got));
    CHECK(got[0] == 4 && got[1] == 4);
    CHECK_STATUS(mp_array_acquire(raw, MP_FOREVER), MP_ERR_STATE);
    CHECK_STATUS(mp_array_release(raw), MP_ERR_STATE);
    CHECK_STATUS(mp_array_locked(raw, &yes), MP_ERR_STATE);
    CHECK_STATUS(mp_array_recovered(raw, &yes), MP_ERR_STATE);
    CHECK_STATUS(mp_array_get_lock(raw, &l), MP_ERR_STATE);
    CHECK_STATUS(mp_array_get_rlock(raw, &r), MP_ERR_STATE);
    CHECK(mp_array_enter(raw) == NULL);
    o.raw = false;
    o.lock = lock_new();
    CHECK_OK(mp_array_new(&given, 'q', 2, some, &o));
    CHECK_OK(mp_array_new_struct(&too, 16, 1, some, &o));
    CHECK_OK(mp_array_acquire(given, MP_NO_WAIT));
    CHECK_STATUS(mp_array_acquire(too, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_array_get_rlock(too, &r), MP_ERR_STATE);
    CHECK_OK(mp_array_get_lock(too, &l));
    CHECK_OK(mp_lock_release(l));
    CHECK_STATUS(mp_array_release(given), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_lock_free(l));
    CHECK_OK(mp_lock_free(o.lock));
    CHECK_OK(mp_array_read(too, 0, 1, got, sizeof got));
    CHECK(got[0] == 3 && got[1] == 4);
    CHECK_OK(mp_array_free(given));
    CHECK_OK(mp_array_free(too));
    CHECK_OK(mp_array_free(raw));
    CHECK_INT(stats_now().blocks, before.blocks);
}

TEST(array, copies)
{
    static const size_t lengths[] = {0, 1, 5, 4096, 1000000};
    mp_stats before = stats_now();
    mp_array *a, *b;
    int64_t x;
    size_t i, length;

    for (i = 0; i < COUNT(lengths); i++) {
        CHECK_OK(mp_array_new(&a, 'H', lengths[i], NULL, NULL));
        if (lengths[i] > 0)
            CHECK_OK(mp_array_set_int(a, lengths[i] - 1, 77));
        CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
        CHECK_OK(mp_array_copy(&b, a, NULL));
        CHECK(!locked(b));
        CHECK_OK(mp_array_release(a));
        CHECK_OK(mp_array_length(b, &length));
        CHECK_INT(length, lengths[i]);
        if (lengths[i] > 0) {
            CHECK_OK(mp_array_set_int(a, lengths[i] - 1, 5));
            CHECK_OK(mp_array_get_int(b, lengths[i] - 1, &x));
            CHECK_INT(x, 77);
        }
        CHECK_OK(mp_array_free(a));
        CHECK_OK(mp_array_free(b));
    }
    CHECK_STATUS(mp_array_copy(&b, NULL, NULL), MP_ERR_BAD_HANDLE);
    CHECK_INT(stats_now().blocks, before.blocks);
}

/* ---- in children ---- */

enum { ITEMS = 2000 };

static int64_t the_one_number(const int64_t *items)
{
    size_t i;

    for (i = 1; i < ITEMS; i++)
        CHECK_INT(items[i], items[0]);
    return items[0];
}

static int writer(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);
    mp_value *stop = mp_child_value(self, 1);
    static int64_t items[ITEMS];
    int64_t *in_place;
    void *data;
    size_t i;

    CHECK(user == NULL);
    CHECK_OK(mp_array_data(a, &data, NULL));
    in_place = data;
    while (flag_get(stop) == 0) {
        CHECK_OK(mp_array_read(a, 0, ITEMS, items, sizeof items));
        the_one_number(items);
        for (i = 0; i < ITEMS; i++)
            items[i]++;
        CHECK_OK(mp_array_write(a, 0, ITEMS, items, sizeof items));
        MP_WITH_ARRAY(a)
            for (i = 0; i < ITEMS; i++)
                in_place[i]++;
    }
    return 0;
}

TEST(array, slices_are_never_seen_half_written)
{
    mp_value *stop = flag_new();
    static int64_t items[ITEMS];
    mp_process *p[3];
    mp_array *a;
    size_t i;

    CHECK_OK(mp_array_new(&a, 'q', ITEMS, NULL, NULL));
    for (i = 0; i < COUNT(p); i++)
        p[i] = CHILD_START(writer, a, stop);
    do
        CHECK_OK(mp_array_read(a, 0, ITEMS, items, sizeof items));
    while (the_one_number(items) < 10000);
    flag_set(stop, 1);
    for (i = 0; i < COUNT(p); i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_value_free(stop));
    CHECK_INT(stats_now().rescued, 0);
}

static int half(mp_child *self, void *user)
{
    mp_array *a = mp_child_array(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_array_acquire(a, MP_FOREVER));
    CHECK_OK(mp_array_set_int(a, 0, 1));
    raise(SIGKILL);
    return 0;
}

static void is_told(bool report)
{
    mp_array_options o = MP_ARRAY_OPTIONS;
    int want = report ? MP_OWNER_DIED : MP_OK;
    char got[4], text[] = "abcd";
    mp_array *a, *b;

    o.report_owner_death = report;
    CHECK_OK(mp_array_new(&a, 'c', 4, NULL, &o));
    CHECK_INT(child_end(CHILD_START(half, a)), -SIGKILL);
    CHECK(locked(a));
    CHECK_INT(mp_array_acquire(a, MP_FOREVER), want);
    CHECK(recovered(a));
    CHECK_OK(mp_array_read(a, 0, 4, got, 4));
    CHECK(got[0] == 1 && got[1] == 0);
    CHECK_OK(mp_array_release(a));
    CHECK(!recovered(a) && !locked(a));
    CHECK_INT(child_end(CHILD_START(half, a)), -SIGKILL);
    CHECK_INT(mp_array_read(a, 0, 4, got, 4), want);
    CHECK_INT(child_end(CHILD_START(half, a)), -SIGKILL);
    CHECK_INT(mp_array_write(a, 0, 4, text, 4), want);
    CHECK_INT(child_end(CHILD_START(half, a)), -SIGKILL);
    CHECK_INT(mp_array_set_string(a, "ef"), want);
    CHECK_INT(child_end(CHILD_START(half, a)), -SIGKILL);
    CHECK_INT(mp_array_get_string(a, got, 4, NULL), want);
    CHECK_INT(child_end(CHILD_START(half, a)), -SIGKILL);
    CHECK_INT(mp_array_copy(&b, a, NULL), want);
    CHECK_OK(mp_array_free(b));
    CHECK(!locked(a));
    CHECK_OK(mp_array_free(a));
}

TEST(array, its_next_holder_is_told_of_a_death)
{
    is_told(false);
    is_told(true);
}
