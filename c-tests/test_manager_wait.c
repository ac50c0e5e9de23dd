/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Calls that wait in a manager's server. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { WAITERS = 5, ROUNDS = 200 };

static bool has_waiting(void *p)
{
    mp_manager *m = ((void **)p)[0];
    size_t want = *(size_t *)((void **)p)[1], len, count = 0;
    mp_buffer *text;
    const char *data;
    char line[64];

    CHECK_OK(mp_manager_debug_info(m, &text));
    data = mp_buffer_data(text, &len);
    snprintf(line, sizeof line, ", %zu waiting", want);
    for (; count + strlen(line) <= len && data[count] != '\n'; count++)
        if (memcmp(data + count, line, strlen(line)) == 0) {
            CHECK_OK(mp_buffer_free(text));
            return true;
        }
    CHECK_OK(mp_buffer_free(text));
    return false;
}

void wait_for_waiting(mp_manager *m, size_t count)
{
    void *arg[] = {m, &count};

    CHECK(wait_until(has_waiting, arg));
}

static int takes_turns(mp_child *self, void *user)
{
    mp_proxy *lock = mp_child_proxy(self, 0), *d = mp_child_proxy(self, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        int64_t n;

        CHECK_OK(mp_proxy_acquire(lock, MP_FOREVER));
        CHECK_OK(mp_proxy_get_int(d, TEXT("n"), &n));
        CHECK_OK(mp_proxy_set(d, TEXT("n"), INT(n + 1)));
        CHECK_OK(mp_proxy_release(lock));
    }
    return 0;
}

TEST(manager, lock_excludes)
{
    mp_manager *m = manager_new();
    mp_proxy *lock = object_new(m, "Lock"), *d = object_new(m, "dict");
    mp_process *children[WAITERS];
    int64_t n;
    int i;

    check_str(lock, "<unlocked Lock>");
    CHECK_OK(mp_proxy_set(d, TEXT("n"), INT(0)));
    for (i = 0; i < WAITERS; i++)
        children[i] = CHILD_START(takes_turns, lock, d);
    for (i = 0; i < WAITERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_proxy_get_int(d, TEXT("n"), &n));
    CHECK_INT(n, WAITERS * ROUNDS);
    CHECK_OK(mp_proxy_free(lock));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

static int waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_proxy_call(mp_child_proxy(self, 0), "wait", NULL, 0, NULL, MP_FOREVER));
    return 0;
}

/* Who waits is released by a set, also where it is cleared at once; who comes later is not. */
TEST(manager, event_releases_all)
{
    mp_manager *m = manager_new();
    mp_proxy *e = object_new(m, "Event");
    mp_process *children[WAITERS];
    mp_proxy_step steps[2];
    size_t i;

    memset(steps, 0, sizeof steps);
    steps[0].proxy = steps[1].proxy = e;
    steps[0].method = "set";
    steps[1].method = "clear";
    for (i = 0; i < WAITERS; i++)
        children[i] = CHILD_START(waits, e);
    wait_for_waiting(m, WAITERS);
    CHECK_OK(mp_proxy_batch(steps, COUNT(steps), NULL));
    for (i = 0; i < WAITERS; i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_INT(mp_proxy_call(e, "wait", NULL, 0, NULL, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_INT(mp_proxy_call(e, "wait", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    check_str(e, "<Event unset>");
    CHECK_CALL0(e, "false", "is_set");
    CHECK_CALL0(e, "", "set");
    CHECK_CALL0(e, "", "wait");
    check_str(e, "<Event set>");
    CHECK_OK(mp_proxy_free(e));
    CHECK_OK(mp_manager_free(m));
}

static int puts_all(mp_child *self, void *user)
{
    mp_proxy *q = mp_child_proxy(self, 0);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++)
        CHECK_OK(CALL(q, "put", MP_FOREVER, INT(i)));
    return 0;
}

static int gets_all(mp_child *self, void *user)
{
    mp_proxy *q = mp_child_proxy(self, 0), *sum = mp_child_proxy(self, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < ROUNDS; i++) {
        mp_answer *a;

        CHECK_OK(mp_proxy_call(q, "get", NULL, 0, &a, MP_FOREVER));
        CHECK_OK(mp_proxy_fetch_add(sum, mp_item_none(), mp_answer_int(a, 0), NULL));
        CHECK_OK(mp_answer_free(a));
        CHECK_OK(mp_proxy_call(q, "task_done", NULL, 0, NULL, MP_NO_WAIT));
    }
    return 0;
}

TEST(manager, queue)
{
    mp_manager *m = manager_new();
    mp_item most = INT(3), start[] = {TEXT("q"), INT(0)};
    mp_proxy *q, *sum;
    mp_process *children[4];
    int64_t n;
    size_t i;

    CHECK_OK(mp_manager_create(m, &q, "Queue", &most, 1));
    CHECK_OK(mp_manager_create(m, &sum, "Value", start, COUNT(start)));
    CHECK_CALL0(q, "true", "empty");
    CHECK_INT(mp_proxy_call(q, "get", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
    CHECK_INT(mp_proxy_call(q, "get", NULL, 0, NULL, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_INT(mp_proxy_call(q, "task_done", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_OVER_RELEASE);
    for (i = 0; i < 3; i++)
        CHECK_CALL(q, "", "put", INT((int64_t)i));
    CHECK_INT(CALL(q, "put", MP_NO_WAIT, INT(3)), MP_ERR_FULL);
    CHECK_INT(CALL(q, "put", MP_MS(20), INT(3)), MP_ERR_TIMEOUT);
    CHECK_CALL0(q, "true", "full");
    CHECK_CALL0(q, "3", "qsize");
    for (i = 0; i < 3; i++) {
        char want[] = {(char)('0' + i), 0};

        CHECK_CALL0(q, want, "get");
        CHECK_INT(mp_proxy_call(q, "join", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
        CHECK_CALL0(q, "", "task_done");
    }
    CHECK_CALL0(q, "", "join");
    for (i = 0; i < COUNT(children); i++)
        children[i] = i % 2 == 0 ? CHILD_START(puts_all, q) : CHILD_START(gets_all, q, sum);
    for (i = 0; i < COUNT(children); i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_proxy_get_int(sum, mp_item_none(), &n));
    CHECK_INT(n, 2 * (ROUNDS * (ROUNDS - 1) / 2));
    CHECK_OK(mp_proxy_call(q, "join", NULL, 0, NULL, MP_FOREVER));
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_proxy_free(sum));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

static void *gets_one(void *q)
{
    CHECK_OK(mp_proxy_call(q, "get", NULL, 0, NULL, MP_FOREVER));
    return NULL;
}

/* A thread that waits holds up no other, and one whose process is killed is taken for nobody. */
TEST(manager, waiters_come_and_go)
{
    mp_manager *m = manager_new();
    mp_proxy *q = object_new(m, "Queue"), *e = object_new(m, "Event");
    mp_process *child = CHILD_START(gets_all, q, e);
    pthread_t threads[WAITERS];
    size_t i;

    wait_for_waiting(m, 1);
    for (i = 0; i < WAITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, gets_one, q) == 0);
    wait_for_waiting(m, WAITERS + 1);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(child_end(child), -SIGKILL);
    wait_for_waiting(m, WAITERS);
    /* The first in the row was the dead one: nothing is lost to it. */
    for (i = 0; i < WAITERS; i++)
        CHECK_CALL(q, "", "put", INT(1));
    for (i = 0; i < WAITERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_CALL0(q, "0", "qsize");
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_proxy_free(e));
    CHECK_OK(mp_manager_free(m));
}

/* A server that is stopped answers nobody: the call returns all the same, and what it would have
 * been given is given back. */
TEST(manager, server_stopped)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *l;
    int pid;

    o.patience = MP_MS(100);
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    l = object_new(m, "Lock");
    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK_SENTENCE(mp_proxy_acquire(l, MP_MS(50)), MP_ERR_TIMEOUT, "did not answer");
    CHECK(kill(pid, SIGCONT) == 0);
    /* It took the lock for a call that nobody waits for. */
    while (mp_proxy_acquire(l, MP_SEC(1)) == MP_ERR_TIMEOUT)
        ;
    CHECK_OK(mp_proxy_release(l));
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}
