/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Events whose waiters and setters are killed. */
#include "test_util.h"

#include <signal.h>

static int waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 1), 1, NULL));
    CHECK_OK(mp_event_wait(mp_child_event(self, 0), MP_FOREVER));
    return 0;
}

/* A dead waiter takes no wake-up with it, and counts as a sleeper no more. */
TEST(event, killed_waiters_do_no_harm)
{
    enum { WAITERS = 4 };
    mp_process *children[WAITERS];
    mp_value *there = flag_new();
    mp_event *e;
    int round, i;

    CHECK_OK(mp_event_new(&e, NULL));
    for (round = 0; round < 20; round++) {
        flag_set(there, 0);
        for (i = 0; i < WAITERS; i++)
            children[i] = CHILD_START(waits, e, there);
        flag_wait(there, WAITERS);
        sleep_ms(round % 4);
        for (i = 0; i < WAITERS; i += 2)
            CHECK(kill(child_pid(children[i]), SIGKILL) == 0);
        CHECK_OK(mp_event_set(e));
        for (i = 0; i < WAITERS; i++)
            CHECK_INT(child_end(children[i]), i % 2 == 0 ? -SIGKILL : 0);
        CHECK_OK(mp_event_clear(e));
    }
    CHECK_OK(mp_value_free(there));
    CHECK_OK(mp_event_free(e));
}

static int sets_and_clears(mp_child *self, void *user)
{
    mp_event *e = mp_child_event(self, 0);

    CHECK(user == NULL);
    flag_set(mp_child_value(self, 1), 1);
    while (flag_get(mp_child_value(self, 1)) == 1) {
        CHECK_OK(mp_event_set(e));
        CHECK_OK(mp_event_clear(e));
    }
    return 0;
}

/* Killed anywhere in its calls: a waiter is released by what it did or by the next one who sets. */
TEST_T(event, killed_setters_do_no_harm, 60)
{
    mp_value *there = flag_new(), *waiting = flag_new();
    mp_event *e;
    rng r = rng_new();
    int round;

    CHECK_OK(mp_event_new(&e, NULL));
    for (round = 0; round < 40; round++) {
        mp_process *setter, *waiter;

        flag_set(there, 0);
        flag_set(waiting, 0);
        setter = CHILD_START(sets_and_clears, e, there);
        flag_wait(there, 1);
        waiter = CHILD_START(waits, e, waiting);
        flag_wait(waiting, 1);
        if (rng_below(&r, 2) == 0)
            sleep_ms((int64_t)rng_below(&r, 3));
        CHECK(kill(child_pid(setter), SIGKILL) == 0);
        CHECK_INT(child_end(setter), -SIGKILL);
        CHECK_OK(mp_event_set(e));
        CHECK_INT(child_end(waiter), 0);
        CHECK_OK(mp_event_clear(e));
    }
    CHECK_OK(mp_value_free(there));
    CHECK_OK(mp_value_free(waiting));
    CHECK_OK(mp_event_free(e));
}
