/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managed RLocks, semaphores and barriers. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { PARTIES = 4, CYCLES = 50 };

static mp_proxy *made_of(mp_manager *m, const char *type, mp_item first, bool give_back)
{
    mp_item items[] = {first, mp_item_bool(give_back)};
    mp_proxy *p;

    CHECK_OK(mp_manager_create(m, &p, type, items, give_back ? 2 : 1));
    return p;
}

/* Argument 0: what it takes, twice; 1: a flag. It has to be killed. */
static int takes_twice(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_proxy_acquire(mp_child_proxy(self, 0), MP_FOREVER));
    CHECK_OK(mp_proxy_acquire(mp_child_proxy(self, 0), MP_FOREVER));
    flag_set(mp_child_value(self, 1), 1);
    flag_wait(mp_child_value(self, 1), 2);
    return 0;
}

static void *of_another_thread(void *p)
{
    CHECK_STATUS(mp_proxy_acquire(p, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_proxy_release(p), MP_ERR_NOT_OWNER);
    return NULL;
}

static void *takes_and_releases(void *p)
{
    CHECK_OK(mp_proxy_acquire(p, MP_FOREVER));
    CHECK_OK(mp_proxy_release(p));
    return NULL;
}

static void in_thread(void *(*fn)(void *), void *p)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fn, p) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* It belongs to one thread, which may take it again. */
TEST(manager, rlock)
{
    mp_manager *m = manager_new();
    mp_proxy *l = object_new(m, "RLock");
    mp_item one = INT(1);
    mp_proxy *wrong;
    pthread_t thread;

    CHECK_STATUS(mp_manager_create(m, &wrong, "RLock", &one, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_release(l), MP_ERR_NOT_OWNER);
    check_str(l, "<unlocked RLock>");
    CHECK_OK(mp_proxy_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_proxy_acquire(l, MP_NO_WAIT));
    in_thread(of_another_thread, l);
    CHECK_OK(mp_proxy_release(l));
    in_thread(of_another_thread, l);
    check_str(l, "<locked RLock>");
    CHECK(pthread_create(&thread, NULL, takes_and_releases, l) == 0);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_proxy_release(l));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_CALL0(l, "false", "locked");
    CHECK_STATUS(mp_proxy_release(l), MP_ERR_NOT_OWNER);
    CHECK_INT(CALL(l, "acquire", MP_NO_WAIT, INT(1)), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, rlock_holder_killed)
{
    mp_manager *m = manager_new();
    mp_proxy *l = object_new(m, "RLock");
    mp_value *flag = flag_new();
    mp_process *child = CHILD_START(takes_twice, l, flag);

    flag_wait(flag, 1);
    CHECK_STATUS(mp_proxy_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(mp_proxy_acquire(l, MP_FOREVER), MP_OWNER_DIED);
    CHECK_OK(mp_proxy_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_proxy_release(l));
    CHECK_OK(mp_proxy_release(l));
    CHECK_OK(mp_proxy_acquire(l, MP_NO_WAIT));
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, semaphore)
{
    mp_manager *m = manager_new();
    mp_proxy *s = object_new(m, "Semaphore"), *b = made_of(m, "BoundedSemaphore", INT(2), false);
    mp_proxy *wrong;
    mp_item negative = INT(-1);
    pthread_t thread;

    CHECK_STATUS(mp_manager_create(m, &wrong, "Semaphore", &negative, 1), MP_ERR_INVALID);
    CHECK_CALL0(s, "1", "get_value");
    CHECK_OK(mp_proxy_acquire(s, MP_NO_WAIT));
    CHECK_STATUS(mp_proxy_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_proxy_acquire(s, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_CALL0(s, "true", "locked");
    CHECK(pthread_create(&thread, NULL, takes_and_releases, s) == 0);
    wait_for_waiting(m, 1);
    CHECK_CALL(s, "", "release", INT(3));
    CHECK(pthread_join(thread, NULL) == 0);
    check_str(s, "<Semaphore at 3>");
    CHECK_INT(CALL(s, "release", MP_NO_WAIT, INT(0)), MP_ERR_INVALID);
    CHECK_INT(CALL(s, "release", MP_NO_WAIT, INT(INT64_MAX)), MP_ERR_OVER_RELEASE);
    CHECK_STATUS(mp_proxy_release(b), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_proxy_acquire(b, MP_NO_WAIT));
    CHECK_INT(CALL(b, "release", MP_NO_WAIT, INT(2)), MP_ERR_OVER_RELEASE);
    check_str(b, "<BoundedSemaphore at 1>");
    CHECK_OK(mp_proxy_release(b));
    CHECK_OK(mp_proxy_free(s));
    CHECK_OK(mp_proxy_free(b));
    CHECK_OK(mp_manager_free(m));
}

static void semaphore_killed(const char *type)
{
    mp_manager *m = manager_new();
    mp_proxy *s = made_of(m, type, INT(2), true);
    mp_value *flag = flag_new();
    mp_process *child = CHILD_START(takes_twice, s, flag);

    flag_wait(flag, 1);
    CHECK_STATUS(mp_proxy_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_proxy_release(s), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(mp_proxy_acquire(s, MP_FOREVER), MP_OWNER_DIED);
    CHECK_INT(mp_proxy_acquire(s, MP_FOREVER), MP_OWNER_DIED);
    CHECK_STATUS(mp_proxy_acquire(s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_proxy_release(s));
    CHECK_OK(mp_proxy_acquire(s, MP_NO_WAIT));
    CHECK_CALL(s, "", "release", INT(2));
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK_OK(mp_proxy_free(s));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

/* What a dead process had is free again, and whoever gets it is told. */
TEST(manager, semaphore_holder_killed)
{
    semaphore_killed("Semaphore");
    semaphore_killed("BoundedSemaphore");
}

/* Without that it is not: a signal that was taken stays taken. */
TEST(manager, semaphore_for_signals)
{
    mp_manager *m = manager_new();
    mp_proxy *s = made_of(m, "Semaphore", INT(3), false);
    mp_value *flag = flag_new();
    mp_process *child = CHILD_START(takes_twice, s, flag);

    flag_wait(flag, 1);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK_CALL0(s, "1", "get_value");
    CHECK_OK(mp_proxy_free(s));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

/* Argument 0: a barrier; 1: an array, a number for each cycle. */
static int passes_cycles(mp_child *self, void *user)
{
    mp_proxy *b = mp_child_proxy(self, 0), *sums = mp_child_proxy(self, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < CYCLES; i++) {
        mp_answer *a;
        int64_t all;

        CHECK_OK(mp_proxy_fetch_add(sums, INT(i), 1, NULL));
        CHECK_OK(mp_proxy_call(b, "wait", NULL, 0, &a, MP_FOREVER));
        /* Nobody passes before all have come. */
        CHECK_OK(mp_proxy_get_int(sums, INT(i), &all));
        CHECK_INT(all % 100, PARTIES);
        /* Each index is somebody's. */
        CHECK_OK(mp_proxy_fetch_add(sums, INT(i), 100 << (4 * mp_answer_int(a, 0)), NULL));
        CHECK_OK(mp_answer_free(a));
    }
    return 0;
}

TEST(manager, barrier)
{
    mp_manager *m = manager_new();
    mp_proxy *b = made_of(m, "Barrier", INT(PARTIES), false), *sums, *alone, *wrong;
    mp_item items[CYCLES + 1], none = INT(0);
    mp_process *children[PARTIES];
    int i;

    CHECK_STATUS(mp_manager_create(m, &wrong, "Barrier", &none, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &wrong, "Barrier", NULL, 0), MP_ERR_INVALID);
    items[0] = TEXT("q");
    for (i = 0; i < CYCLES; i++)
        items[i + 1] = INT(0);
    CHECK_OK(mp_manager_create(m, &sums, "Array", items, COUNT(items)));
    for (i = 0; i < PARTIES; i++)
        children[i] = CHILD_START(passes_cycles, b, sums);
    for (i = 0; i < PARTIES; i++)
        CHECK_INT(child_end(children[i]), 0);
    for (i = 0; i < CYCLES; i++) {
        int64_t sum;

        CHECK_OK(mp_proxy_get_int(sums, INT(i), &sum));
        CHECK_INT(sum, PARTIES + 100 * 0x1111);
    }
    check_str(b, "<Barrier: waiters=0/4>");
    CHECK_CALL0(b, "4", "parties");
    alone = made_of(m, "Barrier", INT(1), false);
    CHECK_CALL0(alone, "0", "wait");
    CHECK_CALL0(alone, "0", "wait");
    CHECK_OK(mp_proxy_free(alone));
    CHECK_OK(mp_proxy_free(b));
    CHECK_OK(mp_proxy_free(sums));
    CHECK_OK(mp_manager_free(m));
}

static void *sees_it_broken(void *b)
{
    CHECK_STATUS(mp_proxy_call(b, "wait", NULL, 0, NULL, MP_FOREVER), MP_ERR_BROKEN_BARRIER);
    return NULL;
}

static int waits_at_barrier(mp_child *self, void *user)
{
    CHECK(user == NULL);
    return mp_proxy_call(mp_child_proxy(self, 0), "wait", NULL, 0, NULL, MP_FOREVER) == MP_OK ? 0 : 7;
}

/* Whoever is killed, comes too late, or breaks or resets it, is told to those who wait. */
TEST(manager, barrier_breaks)
{
    mp_manager *m = manager_new();
    mp_proxy *b = made_of(m, "Barrier", INT(3), false);
    pthread_t thread;
    mp_process *child, *other;
    int how;

    for (how = 0; how < 5; how++) {
        CHECK(pthread_create(&thread, NULL, sees_it_broken, b) == 0);
        wait_for_waiting(m, 1);
        CHECK_CALL0(b, "1", "n_waiting");
        switch (how) {
        case 0:
            child = CHILD_START(waits_at_barrier, b);
            wait_for_waiting(m, 2);
            CHECK_OK(mp_process_kill(child));
            CHECK_INT(child_end(child), -SIGKILL);
            break;
        case 1:
            CHECK_STATUS(mp_proxy_call(b, "wait", NULL, 0, NULL, MP_MS(20)), MP_ERR_BROKEN_BARRIER);
            break;
        case 2:
            CHECK_STATUS(mp_proxy_call(b, "wait", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_BROKEN_BARRIER);
            break;
        case 3: CHECK_CALL0(b, "", "abort"); break;
        default: CHECK_CALL0(b, "", "reset"); break;
        }
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_CALL0(b, how == 4 ? "false" : "true", "broken");
        if (how < 4) {
            check_str(b, "<Barrier: broken>");
            sees_it_broken(b);
            CHECK_CALL0(b, "", "reset");
        }
    }
    child = CHILD_START(waits_at_barrier, b);
    other = CHILD_START(waits_at_barrier, b);
    wait_for_waiting(m, 2);
    CHECK_CALL0(b, "2", "wait");
    CHECK_INT(child_end(child), 0);
    CHECK_INT(child_end(other), 0);
    CHECK_OK(mp_proxy_free(b));
    CHECK_OK(mp_manager_free(m));
}

/* What happens in one batch is told right: they passed, although it broke at once. */
TEST(manager, barrier_in_a_batch)
{
    mp_manager *m = manager_new();
    mp_proxy *b = made_of(m, "Barrier", INT(2), false);
    mp_process *child = CHILD_START(waits_at_barrier, b);
    mp_proxy_step steps[4];
    mp_answer *a;
    size_t i;

    memset(steps, 0, sizeof steps);
    for (i = 0; i < COUNT(steps); i++) {
        steps[i].proxy = b;
        steps[i].method = i == 0 ? "wait" : i == 3 ? "broken" : i == 2 ? "abort" : "reset";
    }
    wait_for_waiting(m, 1);
    CHECK_OK(mp_proxy_batch(steps, COUNT(steps), &a));
    CHECK(strcmp(answer_text(a), "1 1 0 0 1 true") == 0);
    CHECK_OK(mp_answer_free(a));
    CHECK_INT(child_end(child), 0);
    /* A call of a batch does not wait, so it breaks the barrier. */
    CHECK_CALL0(b, "", "reset");
    CHECK_STATUS(mp_proxy_batch(steps, 1, NULL), MP_ERR_BROKEN_BARRIER);
    CHECK_OK(mp_proxy_free(b));
    CHECK_OK(mp_manager_free(m));
}

static int joins(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_proxy_call(mp_child_proxy(self, 0), "join", NULL, 0, NULL, MP_FOREVER));
    return 0;
}

TEST(manager, joinable_queue)
{
    mp_manager *m = manager_new();
    mp_proxy *q = object_new(m, "JoinableQueue");
    mp_process *killed, *child;

    CHECK_CALL(q, "", "put", INT(1));
    killed = CHILD_START(joins, q);
    child = CHILD_START(joins, q);
    wait_for_waiting(m, 2);
    CHECK_OK(mp_process_kill(killed));
    CHECK_INT(child_end(killed), -SIGKILL);
    CHECK_CALL0(q, "1", "get");
    wait_for_waiting(m, 1);
    CHECK_CALL0(q, "", "task_done");
    CHECK_INT(child_end(child), 0);
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_manager_free(m));
}
