/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Barriers with an action. */
#include "test_barrier.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { PARTIES = 4, CYCLES = 100 };

static void *const number = (void *)42; /* what all actions here are given */
static int ran_here;
static mp_value *ran; /* in each process its own handle */

static int counts(mp_barrier *barrier, void *user)
{
    CHECK(user == number);
    CHECK_INT(barrier_waiting(barrier), PARTIES);
    ran_here++;
    CHECK_OK(mp_value_fetch_add(ran, 1, NULL));
    return 0;
}

static int goes_round(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);
    int i, last = 0;

    CHECK(user == NULL);
    ran = mp_child_value(self, 1);
    ran_here = 0;
    for (i = 1; i <= CYCLES; i++) {
        size_t index;

        CHECK_OK(mp_barrier_wait(b, MP_FOREVER, &index));
        last += index == PARTIES - 1;
        /* It was done before any went on, and is not done again before all are back. */
        CHECK_INT(flag_get(ran), i);
    }
    CHECK_INT(ran_here, last);
    return 0;
}

TEST_T(barrier, last_party_runs_the_action, 60)
{
    mp_barrier *b = barrier_with(PARTIES, counts, number);
    mp_process *children[PARTIES];
    int i;

    ran = flag_new();
    for (i = 0; i < PARTIES; i++)
        children[i] = CHILD_START(goes_round, b, ran);
    for (i = 0; i < PARTIES; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_INT(flag_get(ran), CYCLES);
    CHECK_INT(stats_now().rescued, 0);
    CHECK_OK(mp_value_free(ran));
    CHECK_OK(mp_barrier_free(b));
}

static int answer; /* of the next action */

static int answers(mp_barrier *barrier, void *user)
{
    CHECK(user == number && !barrier_broken(barrier));
    return answer;
}

TEST(barrier, action_fails)
{
    mp_barrier *b = barrier_with(2, answers, number);
    int i;

    for (i = 0; i < 3; i++) {
        mp_process *p = barrier_child(b, i == 1 ? MP_OK : MP_ERR_BROKEN_BARRIER);

        barrier_await(b, 1);
        answer = i - 1;
        if (i == 1) {
            CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
        } else {
            CHECK_SENTENCE(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_TASK_FAILED,
                           i == 0 ? "answered -1" : "answered 1");
            CHECK(barrier_broken(b));
            CHECK_OK(mp_barrier_reset(b));
        }
        CHECK_INT(child_end(p), 0);
    }
    CHECK_OK(mp_barrier_free(b));
}

static int aborts(mp_barrier *barrier, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_barrier_abort(barrier));
    return 0;
}

static int resets(mp_barrier *barrier, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_barrier_reset(barrier));
    return 0;
}

/* What happens to the barrier meanwhile breaks the cycle for its runner, too. */
TEST(barrier, broken_while_the_action_runs)
{
    int i;

    for (i = 0; i < 2; i++) {
        mp_barrier *b = barrier_with(2, i == 0 ? aborts : resets, NULL);
        mp_process *p = barrier_child(b, MP_ERR_BROKEN_BARRIER);

        barrier_await(b, 1);
        CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
        CHECK_INT(child_end(p), 0);
        CHECK(barrier_broken(b) == (i == 0));
        CHECK_OK(mp_barrier_free(b));
    }
}

static mp_value *may_end;

static int takes_long(mp_barrier *barrier, void *user)
{
    CHECK(barrier != NULL && user == NULL);
    flag_wait(may_end, 1);
    return 0;
}

static void *waits_ok(void *b)
{
    CHECK_OK(mp_barrier_wait(b, MP_FOREVER, NULL));
    return NULL;
}

/* Whoever comes while the action runs is of the next cycle. */
TEST(barrier, more_than_the_parties)
{
    mp_barrier *b = barrier_with(1, takes_long, NULL);
    pthread_t first, second;

    may_end = flag_new();
    CHECK(pthread_create(&first, NULL, waits_ok, b) == 0);
    barrier_await(b, 1);
    CHECK_SENTENCE(mp_barrier_wait(b, MP_NO_WAIT, NULL), MP_ERR_TIMEOUT, "without this call");
    CHECK_STATUS(mp_barrier_wait(b, MP_MS(120), NULL), MP_ERR_TIMEOUT);
    CHECK(!barrier_broken(b));
    CHECK(pthread_create(&second, NULL, waits_ok, b) == 0);
    sleep_ms(20);
    flag_set(may_end, 1);
    CHECK(pthread_join(first, NULL) == 0);
    CHECK(pthread_join(second, NULL) == 0);
    CHECK_OK(mp_value_free(may_end));
    CHECK_OK(mp_barrier_free(b));
}

static void *waits_broken(void *b)
{
    barrier_await(b, 1); /* to be the last one */
    CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), MP_ERR_BROKEN_BARRIER);
    return NULL;
}

/* The time of one who waits is over while the action runs: that one has waited for it, too. */
TEST(barrier, timeout_while_the_action_runs)
{
    mp_barrier *b = barrier_with(2, takes_long, NULL);
    pthread_t runner;

    may_end = flag_new();
    CHECK(pthread_create(&runner, NULL, waits_broken, b) == 0);
    CHECK_SENTENCE(mp_barrier_wait(b, MP_MS(200), NULL), MP_ERR_BROKEN_BARRIER, "in time");
    flag_set(may_end, 1);
    CHECK(pthread_join(runner, NULL) == 0);
    CHECK(barrier_broken(b));
    CHECK_OK(mp_value_free(may_end));
    CHECK_OK(mp_barrier_free(b));
}

TEST(barrier, action_that_is_no_function)
{
    mp_barrier_options o = MP_BARRIER_OPTIONS;
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mp_barrier *b;

    CHECK(page != MAP_FAILED);
    memcpy(&o.action, &page, sizeof page);
    CHECK_STATUS(mp_barrier_new(&b, 2, &o), MP_ERR_UNKNOWN_TARGET);
    CHECK(munmap(page, 4096) == 0);
}

static int finds_no_action(mp_child *self, void *user)
{
    mp_barrier *b = mp_child_barrier(self, 0);
    int want = child_number(self, 1);

    CHECK(user == NULL);
    answer = 0;
    CHECK_STATUS(mp_barrier_wait(b, MP_FOREVER, NULL), want);
    CHECK(barrier_broken(b) == (want != MP_OK));
    return 0;
}

/* Named behind mp_bootstrap, so that only copies of this process know the name. */
TEST(barrier, action_that_the_last_party_does_not_have)
{
    mp_barrier *b;
    mp_process *p;

    CHECK_OK(mp_register_target("named too late", (mp_function)answers));
    b = barrier_with(1, answers, number);
    CHECK_OK(mp_process_new(&p, finds_no_action, NULL, NULL));
    CHECK_OK(mp_process_add_handle(p, b));
    child_add_number(p, strcmp(test_start_method(), "fork") == 0 ? MP_OK : MP_ERR_UNKNOWN_TARGET);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_barrier_free(b));
}
