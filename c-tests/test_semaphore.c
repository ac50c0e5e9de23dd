/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Semaphores: slots taken and given back, by anybody or by who has them. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { PLAIN, BOUNDED, GIVE_BACK };

static mp_semaphore *semaphore_new(int64_t value, int how)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;
    mp_semaphore *s;

    o.bounded = how == BOUNDED;
    o.give_back = how == GIVE_BACK;
    CHECK_OK(mp_semaphore_new(&s, value, &o));
    return s;
}

static size_t value_of(const mp_semaphore *s)
{
    size_t value;
    bool locked;

    CHECK_OK(mp_semaphore_value(s, &value));
    CHECK_OK(mp_semaphore_locked(s, &locked));
    CHECK(locked == (value == 0));
    return value;
}

TEST(semaphore, counts)
{
    int how, i;

    for (how = PLAIN; how <= GIVE_BACK; how++) {
        mp_semaphore *s = semaphore_new(3, how);

        for (i = 3; i > 0; i--) {
            CHECK_INT(value_of(s), i);
            CHECK_OK(mp_semaphore_acquire(s, i % 2 ? MP_NO_WAIT : MP_FOREVER));
        }
        CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
        CHECK_STATUS(mp_semaphore_acquire(s, -1), MP_ERR_TIMEOUT);
        CHECK_STATUS(mp_semaphore_acquire(s, MP_MS(20)), MP_ERR_TIMEOUT);
        CHECK_INT(value_of(s), 0);
        CHECK_STATUS(mp_semaphore_release(s, 0), MP_ERR_INVALID);
        CHECK_OK(mp_semaphore_release(s, 2));
        CHECK_INT(value_of(s), 2);
        CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_INT(value_of(s), 3);
        CHECK_OK(mp_semaphore_free(s));
    }
}

TEST(semaphore, limits)
{
    static const int64_t bad[] = {-1, INT64_MIN, (int64_t)INT32_MAX + 1, INT64_MAX};
    mp_semaphore *s;
    size_t i;

    for (i = 0; i < COUNT(bad); i++)
        CHECK_STATUS(mp_semaphore_new(&s, bad[i], NULL), MP_ERR_INVALID);
    s = semaphore_new(INT32_MAX, PLAIN);
    CHECK_STATUS(mp_semaphore_release(s, 1), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_STATUS(mp_semaphore_release(s, 2), MP_ERR_OVER_RELEASE);
    CHECK_STATUS(mp_semaphore_release(s, SIZE_MAX), MP_ERR_OVER_RELEASE);
    CHECK_INT(value_of(s), INT32_MAX - 1);
    CHECK_OK(mp_semaphore_release(s, 1));
    CHECK_OK(mp_semaphore_free(s));

    /* One that is not bounded grows beyond what it began with. */
    s = semaphore_new(0, PLAIN);
    CHECK_OK(mp_semaphore_release(s, 5));
    CHECK_INT(value_of(s), 5);
    CHECK_OK(mp_semaphore_free(s));

    s = semaphore_new(2, BOUNDED);
    CHECK_SENTENCE(mp_semaphore_release(s, 1), MP_ERR_OVER_RELEASE, "2 is the most");
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_STATUS(mp_semaphore_release(s, 2), MP_ERR_OVER_RELEASE);
    CHECK_INT(value_of(s), 1);
    CHECK_OK(mp_semaphore_release(s, 1));
    CHECK_OK(mp_semaphore_free(s));

    s = semaphore_new(0, GIVE_BACK);
    CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_semaphore_release(s, 1), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_semaphore_free(s));
}

static int gives_back_what_it_has_not(void *arg)
{
    CHECK_SENTENCE(mp_semaphore_release(arg, 1), MP_ERR_NOT_OWNER, "this process has 0");
    return 0;
}

static int gives_back_anothers(void *arg)
{
    CHECK_OK(mp_semaphore_release(arg, 1));
    return 0;
}

TEST(semaphore, who_may_give_back)
{
    mp_semaphore *s = semaphore_new(2, GIVE_BACK);

    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_INT(in_fork(gives_back_what_it_has_not, s), 0);
    CHECK_SENTENCE(mp_semaphore_release(s, 2), MP_ERR_NOT_OWNER, "this process has 1");
    CHECK_INT(value_of(s), 1);
    CHECK_OK(mp_semaphore_release(s, 1));
    CHECK_OK(mp_semaphore_free(s));

    s = semaphore_new(2, PLAIN);
    CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_INT(in_fork(gives_back_anothers, s), 0);
    CHECK_INT(value_of(s), 2);
    CHECK_OK(mp_semaphore_free(s));
}

static void described(mp_semaphore *s, const char *want)
{
    char text[80];
    size_t needed = 0;

    CHECK_OK(mp_semaphore_describe(s, text, sizeof text, &needed));
    CHECK(strcmp(text, want) == 0);
    CHECK_INT(needed, strlen(want) + 1);
    memset(text, 'x', sizeof text);
    CHECK_STATUS(mp_semaphore_describe(s, text, needed - 1, &needed), MP_ERR_TOO_SMALL);
    CHECK(text[0] == 'x');
    CHECK_STATUS(mp_semaphore_describe(s, NULL, 10, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_semaphore_describe(s, NULL, 0, &needed), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_semaphore_describe(s, text, needed, NULL));
    CHECK_OK(mp_semaphore_free(s));
}

TEST(semaphore, describe)
{
    described(semaphore_new(3, PLAIN), "<Semaphore(value=3)>");
    described(semaphore_new(3, GIVE_BACK), "<Semaphore(value=3)>");
    described(semaphore_new(7, BOUNDED), "<BoundedSemaphore(value=7, maxvalue=7)>");
}

/* ---- waiting ---- */

static int take_and_tell(mp_child *self, void *user)
{
    mp_semaphore *s = mp_child_semaphore(self, 0);

    CHECK(user == NULL);
    flag_set(mp_child_value(self, 2), 1);
    CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
    return 0;
}

TEST(semaphore, a_release_lets_as_many_in)
{
    mp_semaphore *s = semaphore_new(0, PLAIN);
    mp_value *in = flag_new(), *begun = flag_new();
    mp_process *p[4];
    size_t i;

    for (i = 0; i < COUNT(p); i++) {
        p[i] = CHILD_START(take_and_tell, s, in, begun);
        flag_wait(begun, 1);
        flag_set(begun, 0);
    }
    CHECK_OK(mp_semaphore_release(s, 3));
    flag_wait(in, 3);
    CHECK_STATUS(mp_semaphore_acquire(s, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_INT(flag_get(in), 3);
    CHECK_OK(mp_semaphore_release(s, 1));
    for (i = 0; i < COUNT(p); i++)
        CHECK_INT(child_end(p[i]), 0);
    CHECK_INT(flag_get(in), 4);
    CHECK_OK(mp_value_free(in));
    CHECK_OK(mp_value_free(begun));
    CHECK_OK(mp_semaphore_free(s));
}

static void hammer(mp_semaphore *s, mp_value *inside, mp_value *done, int64_t limit)
{
    int i;

    for (i = 0; i < 1500; i++) {
        int64_t before;

        CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
        CHECK_OK(mp_value_fetch_add(inside, 1, &before));
        CHECK(before < limit);
        CHECK_OK(mp_value_fetch_add(inside, -1, NULL));
        CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_OK(mp_value_fetch_add(done, 1, NULL));
    }
}

typedef struct shared {
    mp_semaphore *s;
    mp_value *inside, *done;
} shared;

static void *hammer_thread(void *arg)
{
    shared *a = arg;

    hammer(a->s, a->inside, a->done, 2);
    return NULL;
}

static int hammer_child(mp_child *self, void *user)
{
    CHECK(user == NULL);
    hammer(mp_child_semaphore(self, 0), mp_child_value(self, 1), mp_child_value(self, 2), 2);
    return 0;
}

TEST_T(semaphore, never_more_inside_than_slots, 120)
{
    int how;

    for (how = PLAIN; how <= GIVE_BACK; how++) {
        int64_t rescued = (int64_t)stats_now().rescued;
        mp_process *p[4];
        pthread_t t[2];
        shared a;
        size_t i;

        a.s = semaphore_new(2, how);
        a.inside = flag_new();
        a.done = flag_new();
        for (i = 0; i < COUNT(p); i++)
            p[i] = CHILD_START(hammer_child, a.s, a.inside, a.done);
        for (i = 0; i < COUNT(t); i++)
            CHECK_INT(pthread_create(&t[i], NULL, hammer_thread, &a), 0);
        for (i = 0; i < COUNT(t); i++)
            CHECK_INT(pthread_join(t[i], NULL), 0);
        for (i = 0; i < COUNT(p); i++)
            CHECK_INT(child_end(p[i]), 0);
        CHECK_INT(flag_get(a.done), 1500 * (COUNT(p) + COUNT(t)));
        CHECK_INT(value_of(a.s), 2);
        CHECK_INT((int64_t)stats_now().rescued, rescued);
        CHECK_OK(mp_value_free(a.inside));
        CHECK_OK(mp_value_free(a.done));
        CHECK_OK(mp_semaphore_free(a.s));
    }
}

/* ---- deaths ---- */

static int die_with_two(mp_child *self, void *user)
{
    mp_semaphore *s = mp_child_semaphore(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
    CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
    flag_set(mp_child_value(self, 1), 1);
    while (child_number(self, 2) != 0)
        pause();
    raise(SIGKILL);
    return 0;
}

static mp_process *start_two(mp_semaphore *s, mp_value *flag, int stay)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, die_with_two, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, s));
    CHECK_OK(mp_process_add_handle(p, flag));
    child_add_number(p, stay);
    CHECK_OK(mp_process_start(p));
    return p;
}

TEST(semaphore, what_the_dead_had_comes_back_if_asked_for)
{
    mp_value *flag = flag_new();
    mp_semaphore *s = semaphore_new(2, GIVE_BACK);
    int i;

    /* Found by a try, and by one that waits since before the death. */
    CHECK_INT(child_end(start_two(s, flag, 0)), -SIGKILL);
    CHECK_INT(value_of(s), 0);
    for (i = 0; i < 2; i++)
        CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    CHECK_STATUS(mp_semaphore_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_release(s, 2));
    CHECK_INT(value_of(s), 2);
    CHECK_OK(mp_semaphore_free(s));

    s = semaphore_new(2, PLAIN);
    CHECK_INT(child_end(start_two(s, flag, 0)), -SIGKILL);
    CHECK_INT(value_of(s), 0);
    CHECK_STATUS(mp_semaphore_acquire(s, MP_MS(200)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_release(s, 2));
    CHECK_INT(value_of(s), 2);
    CHECK_OK(mp_semaphore_free(s));
    CHECK_OK(mp_value_free(flag));
}

static void *killer(void *arg)
{
    sleep_ms(20);
    CHECK(signal_child(child_pid(arg), SIGKILL));
    return NULL;
}

TEST(semaphore, a_sleeper_finds_the_death)
{
    mp_semaphore *s = semaphore_new(2, GIVE_BACK);
    mp_value *flag = flag_new();
    int round;

    for (round = 0; round < 5; round++) {
        mp_process *p;
        pthread_t t;

        flag_set(flag, 0);
        p = start_two(s, flag, 1);
        flag_wait(flag, 1);
        CHECK_INT(pthread_create(&t, NULL, killer, p), 0);
        CHECK_OK(mp_semaphore_acquire(s, MP_FOREVER));
        CHECK_INT(pthread_join(t, NULL), 0);
        CHECK_INT(child_end(p), -SIGKILL);
        CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_INT(value_of(s), 2);
    }
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_semaphore_free(s));
}

static int sleep_in(mp_child *self, void *user)
{
    CHECK(user == NULL);
    flag_set(mp_child_value(self, 1), 1);
    CHECK_OK(mp_semaphore_acquire(mp_child_semaphore(self, 0), MP_FOREVER));
    while (pause() != 0)
        continue;
    return 0;
}

/* A slot that was meant for a dead sleeper reaches a living one. */
TEST(semaphore, a_dead_sleeper_takes_nothing_with_it)
{
    mp_semaphore *s = semaphore_new(0, PLAIN);
    mp_value *flag = flag_new(), *in = flag_new(), *begun = flag_new();
    int round;

    for (round = 0; round < 10; round++) {
        mp_process *dies, *lives;
        size_t value;

        flag_set(flag, 0);
        flag_set(in, 0);
        flag_set(begun, 0);
        dies = CHILD_START(sleep_in, s, flag);
        flag_wait(flag, 1);
        lives = CHILD_START(take_and_tell, s, in, begun);
        flag_wait(begun, 1);
        CHECK(signal_child(child_pid(dies), SIGKILL));
        CHECK_OK(mp_semaphore_release(s, 1));
        /* It may have been taken by the one that dies, which a plain semaphore does not tell. */
        CHECK_INT(child_end(dies), -SIGKILL);
        CHECK_OK(mp_semaphore_value(s, &value));
        if (value == 0 && flag_get(in) == 0)
            CHECK_OK(mp_semaphore_release(s, 1));
        CHECK_INT(child_end(lives), 0);
        CHECK_INT(flag_get(in), 1);
        while (value_of(s) > 0)
            CHECK_OK(mp_semaphore_acquire(s, MP_NO_WAIT));
    }
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_value_free(in));
    CHECK_OK(mp_value_free(begun));
    CHECK_OK(mp_semaphore_free(s));
}
