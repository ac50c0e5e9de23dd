/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Barriers and time: the barrier's own timeout, and limits below zero. */
#include "test_barrier.h"

/* Longer than a test may take, by far. */
static const int64_t VERY_LONG = MP_SEC(3600);

static mp_barrier *barrier_limited(size_t parties, int64_t timeout)
{
    mp_barrier_options o = MP_BARRIER_OPTIONS;
    mp_barrier *b;

    o.timeout = timeout;
    CHECK_OK(mp_barrier_new(&b, parties, &o));
    return b;
}

/* The wait is alone; it takes at least this long, and breaks the barrier. */
static void is_alone(mp_barrier *b, int64_t timeout, int64_t least)
{
    int64_t before = now_ns();
    size_t index = 77;

    CHECK_SENTENCE(mp_barrier_wait(b, timeout, &index), MP_ERR_BROKEN_BARRIER, "in time");
    CHECK(now_ns() - before >= least);
    CHECK_INT(index, 77);
    CHECK(barrier_broken(b));
    CHECK_INT(barrier_waiting(b), 0);
    CHECK_OK(mp_barrier_reset(b));
}

TEST(barrier, timeout_of_the_barrier_is_the_most)
{
    mp_barrier *b = barrier_limited(2, MP_MS(60));

    is_alone(b, VERY_LONG, MP_MS(60));
    is_alone(b, MP_FOREVER - 1, MP_MS(60));
    is_alone(b, MP_FOREVER, MP_MS(60));
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, shorter_timeout_of_the_call)
{
    mp_barrier *b = barrier_limited(2, VERY_LONG);

    is_alone(b, MP_MS(40), MP_MS(40));
    is_alone(b, 1, 1);
    is_alone(b, MP_NO_WAIT, 0);
    CHECK_OK(mp_barrier_free(b));
}

static int is_bound_too(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);

    CHECK(b != NULL && user == NULL);
    is_alone(b, VERY_LONG, MP_MS(60));
    is_alone(b, MP_FOREVER, MP_MS(60));
    return 0;
}

static int is_bound_in_a_fork(void *b)
{
    is_alone(b, VERY_LONG, MP_MS(60));
    return 0;
}

TEST(barrier, timeout_of_the_barrier_binds_children)
{
    mp_barrier *b = barrier_limited(2, MP_MS(60));

    CHECK_INT(child_end(CHILD_START(is_bound_too, b)), 0);
    CHECK_INT(in_fork(is_bound_in_a_fork, b), 0);
    CHECK(!barrier_broken(b));
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, negative_limits)
{
    static const int64_t negative[] = {-1, INT64_MIN};
    mp_barrier *b = barrier_new(2), *alone = barrier_new(1);
    size_t i;

    for (i = 0; i < COUNT(negative); i++) {
        mp_process *p;
        size_t index = 9;

        CHECK_OK(mp_barrier_wait(alone, negative[i], NULL));
        is_alone(b, negative[i], 0);
        /* The last party has nothing to wait for. */
        p = barrier_child(b, MP_OK);
        barrier_await(b, 1);
        CHECK_OK(mp_barrier_wait(b, negative[i], &index));
        CHECK_INT(index, 1);
        CHECK_INT(child_end(p), 0);
    }
    CHECK_OK(mp_barrier_free(alone));
    CHECK_OK(mp_barrier_free(b));
}
