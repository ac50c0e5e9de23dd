/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: a barrier's action, waiting for what a predicate says, and MP_WITH_MANAGER. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

enum { PARTIES = 3, CYCLES = 20 };

/* In the server: how often the action ran. */
static atomic_int turns;

static void counts(void)
{
    turns++;
}

static void drop_exception(_Unwind_Reason_Code why, struct _Unwind_Exception *exception)
{
    (void)why;
    free(exception);
}

static void throws(void)
{
    struct _Unwind_Exception *exception = calloc(1, sizeof *exception);

    exception->exception_cleanup = drop_exception;
    _Unwind_RaiseException(exception);
    abort();
}

static void hangs(void)
{
    for (;;)
        pause();
}

static void registers(void)
{
    CHECK_OK(mp_register_target("counts", (mp_function)counts));
    CHECK_OK(mp_register_target("throws", (mp_function)throws));
    CHECK_OK(mp_register_target("hangs", (mp_function)hangs));
}

static void *turns_make(mp_call *call)
{
    (void)call;
    return NULL;
}

static void turns_get(mp_call *call, void *object)
{
    (void)object;
    CHECK_OK(mp_call_return(call, INT(turns)));
}

static mp_manager *with_actions(void)
{
    static const mp_object_method methods[] = {{"get", turns_get}};
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_object_options type = MP_OBJECT_OPTIONS;
    mp_manager *m;

    o.initializer = registers;
    type.create = turns_make;
    type.methods = methods;
    type.method_count = COUNT(methods);
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_register(m, "Turns", &type));
    CHECK_OK(mp_manager_start(m));
    return m;
}

static mp_status barrier_new(mp_manager *m, int parties, const char *action, mp_proxy **b)
{
    const mp_item items[] = {mp_item_int(parties), mp_item_text(action)};

    return mp_manager_create(m, b, "Barrier", items, 2);
}

/* Argument 0: a barrier; 1: the turns. */
static int passes(mp_child *self, void *user)
{
    mp_proxy *b = mp_child_proxy(self, 0), *t = mp_child_proxy(self, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < CYCLES; i++) {
        int64_t now;
        mp_answer *a;

        CHECK_OK(mp_proxy_call(b, "wait", NULL, 0, NULL, MP_FOREVER));
        CHECK_OK(mp_proxy_call(t, "get", NULL, 0, &a, MP_NO_WAIT));
        now = mp_answer_int(a, 0);
        CHECK_OK(mp_answer_free(a));
        /* Once in each cycle, before anybody goes on. */
        CHECK_INT(now, i + 1);
        /* Nobody comes to the next cycle before all have looked. */
        CHECK_OK(mp_proxy_call(mp_child_proxy(self, 2), "wait", NULL, 0, NULL, MP_FOREVER));
    }
    return 0;
}

TEST(manager, barrier_action)
{
    mp_manager *m = with_actions();
    mp_proxy *t = object_new(m, "Turns"), *b, *looked, *alone;
    mp_item parties = INT(PARTIES);
    mp_process *children[PARTIES];
    int i;

    CHECK_STATUS(barrier_new(m, 2, "nobody's", &b), MP_ERR_UNKNOWN_TARGET);
    CHECK_OK(barrier_new(m, PARTIES, "counts", &b));
    CHECK_OK(mp_manager_create(m, &looked, "Barrier", &parties, 1));
    for (i = 0; i < PARTIES; i++)
        children[i] = CHILD_START(passes, b, t, looked);
    for (i = 0; i < PARTIES; i++)
        CHECK_INT(child_end(children[i]), 0);
    check_str(b, "<Barrier: waiters=0/3>");
    /* Who is alone does not wait, and has the action done all the same. */
    CHECK_OK(barrier_new(m, 1, "counts", &alone));
    CHECK_CALL0(alone, "0", "wait");
    CHECK_CALL0(t, "21", "get");
    CHECK_OK(mp_proxy_free(alone));
    CHECK_OK(mp_proxy_free(looked));
    CHECK_OK(mp_proxy_free(b));
    CHECK_OK(mp_proxy_free(t));
    CHECK_OK(mp_manager_free(m));
}

static void *comes_too(void *b)
{
    CHECK_STATUS(mp_proxy_call(b, "wait", NULL, 0, NULL, MP_MS(200)), MP_ERR_BROKEN_BARRIER);
    return NULL;
}

/* An action that fails breaks the barrier, and so does one that nobody waits for any longer. */
TEST(manager, barrier_action_fails)
{
    const char *actions[] = {"throws", "hangs"};
    mp_manager *m = with_actions();
    pthread_t thread;
    size_t i;

    for (i = 0; i < COUNT(actions); i++) {
        mp_proxy_step step = {NULL, "wait", NULL, 0};
        mp_proxy *b;

        CHECK_OK(barrier_new(m, 2, actions[i], &b));
        CHECK(pthread_create(&thread, NULL, comes_too, b) == 0);
        wait_for_waiting(m, 1);
        CHECK_STATUS(mp_proxy_call(b, "wait", NULL, 0, NULL, MP_FOREVER), MP_ERR_BROKEN_BARRIER);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_CALL0(b, "true", "broken");
        CHECK_OK(mp_proxy_free(b));
        CHECK_OK(barrier_new(m, 1, actions[i], &b));
        /* Nothing in a batch waits, and for an action it would have to. */
        step.proxy = b;
        CHECK_STATUS(mp_proxy_batch(&step, 1, NULL), MP_ERR_TIMEOUT);
        CHECK_CALL0(b, "true", "broken");
        CHECK_OK(mp_proxy_free(b));
    }
    CHECK_OK(mp_manager_free(m));
}

struct seeks {
    mp_proxy *dict;
    int64_t wanted;
    int asked;
};

static bool is_there(const mp_proxy *condition, void *user)
{
    struct seeks *s = user;
    int64_t now;

    CHECK(condition != NULL);
    s->asked++;
    CHECK_OK(mp_proxy_get_int(s->dict, TEXT("x"), &now));
    return now >= s->wanted;
}

/* Argument 0: a condition; 1: a dict. */
static int counts_up(mp_child *self, void *user)
{
    mp_proxy *c = mp_child_proxy(self, 0), *d = mp_child_proxy(self, 1);
    int i;

    CHECK(user == NULL);
    for (i = 0; i < 5; i++) {
        CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
        CHECK_OK(mp_proxy_fetch_add(d, TEXT("x"), 1, NULL));
        CHECK_OK(mp_proxy_call(c, "notify_all", NULL, 0, NULL, MP_NO_WAIT));
        CHECK_OK(mp_proxy_release(c));
    }
    return 0;
}

TEST(manager, wait_for)
{
    mp_manager *m = manager_new();
    mp_proxy *c = object_new(m, "Condition");
    struct seeks s = {object_new(m, "dict"), 5, 0};
    mp_process *child;

    CHECK_OK(mp_proxy_set(s.dict, TEXT("x"), INT(0)));
    CHECK_STATUS(mp_proxy_wait_for(c, NULL, &s, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_wait_for(NULL, is_there, &s, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_proxy_wait_for(c, is_there, &s, MP_FOREVER), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_STATUS(mp_proxy_wait_for(c, is_there, &s, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_proxy_wait_for(c, is_there, &s, MP_MS(20)), MP_ERR_TIMEOUT);
    child = CHILD_START(counts_up, c, s.dict);
    s.asked = 0;
    CHECK_OK(mp_proxy_wait_for(c, is_there, &s, MP_FOREVER));
    CHECK(s.asked > 1);
    /* The caller has the lock again. */
    CHECK_OK(mp_proxy_release(c));
    CHECK_STATUS(mp_proxy_release(c), MP_ERR_NOT_OWNER);
    CHECK_INT(child_end(child), 0);
    CHECK_OK(mp_proxy_free(s.dict));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

static bool is_there_the_second_time(const mp_proxy *condition, void *asked)
{
    CHECK(condition != NULL);
    return ++*(int *)asked == 2;
}

/* Nobody notifies: it is asked once more when the time is over. */
TEST(manager, wait_for_at_last)
{
    mp_manager *m = manager_new();
    mp_proxy *c = object_new(m, "Condition");
    int asked = 0;

    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(mp_proxy_wait_for(c, is_there_the_second_time, &asked, MP_MS(20)));
    CHECK_INT(asked, 2);
    CHECK_OK(mp_proxy_release(c));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

/* Argument 0: a condition; 1: a dict. It dies with the condition's lock. */
static int notifies_and_dies(mp_child *self, void *user)
{
    mp_proxy *c = mp_child_proxy(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    CHECK_OK(mp_proxy_set(mp_child_proxy(self, 1), TEXT("x"), INT(1)));
    CHECK_OK(mp_proxy_call(c, "notify_all", NULL, 0, NULL, MP_NO_WAIT));
    raise(SIGKILL);
    return 0;
}

TEST(manager, wait_for_of_the_dead)
{
    mp_manager *m = manager_new();
    mp_proxy *c = object_new(m, "Condition");
    struct seeks s = {object_new(m, "dict"), 1, 0};
    mp_process *child;

    CHECK_OK(mp_proxy_set(s.dict, TEXT("x"), INT(0)));
    CHECK_OK(mp_proxy_acquire(c, MP_FOREVER));
    child = CHILD_START(notifies_and_dies, c, s.dict);
    CHECK_INT(mp_proxy_wait_for(c, is_there, &s, MP_FOREVER), MP_OWNER_DIED);
    CHECK_OK(mp_proxy_release(c));
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK_OK(mp_proxy_free(s.dict));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

static int leaves_by_return(mp_manager *m, int *pid)
{
    MP_WITH_MANAGER(m) {
        mp_proxy *d = object_new(m, "dict");

        CHECK_OK(mp_manager_pid(m, pid));
        CHECK_OK(mp_proxy_free(d));
        return 7;
    }
    return 0;
}

TEST(manager, scope)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m, *held;
    int pid, inside = 0;

    CHECK_OK(mp_manager_new(&m, NULL));
    CHECK_INT(leaves_by_return(m, &pid), 7);
    CHECK(process_gone(pid));
    CHECK_STATUS(mp_manager_pid(m, &pid), MP_ERR_BAD_HANDLE);
    /* One that was started is not started again. */
    m = manager_new();
    CHECK_OK(mp_manager_pid(m, &pid));
    MP_WITH_MANAGER(m) {
        int same;

        CHECK_OK(mp_manager_pid(m, &same));
        CHECK_INT(same, pid);
        inside++;
    }
    CHECK_INT(inside, 1);
    CHECK(process_gone(pid));
    /* One that was shut down, or cannot start, is passed over and stays. */
    m = manager_new();
    CHECK_OK(mp_manager_shutdown(m));
    MP_WITH_MANAGER(m)
        inside++;
    CHECK_NULL(mp_manager_enter(m));
    CHECK_CONTAINS(mp_last_error(), "shut down");
    CHECK_OK(mp_manager_free(m));
    o.address = "127.0.0.1:99999";
    CHECK_OK(mp_manager_new(&m, &o));
    MP_WITH_MANAGER(m)
        inside++;
    CHECK_INT(inside, 1);
    CHECK_OK(mp_manager_free(m));
    CHECK_NULL(mp_manager_enter(NULL));
    held = NULL;
    mp_manager_leave(&held);
    mp_manager_leave(NULL);
}
