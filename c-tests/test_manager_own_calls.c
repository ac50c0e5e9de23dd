/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: calls of the program's own methods that come together, that last, and that end the server. */
#include "test_manager_own.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void *increments(void *arg)
{
    int i;

    for (i = 0; i < 50; i++)
        CHECK_OK(mp_proxy_call(arg, "incr", NULL, 0, NULL, MP_NO_WAIT));
    return NULL;
}

TEST(manager_own, one_call_at_a_time)
{
    mp_manager *m = started();
    mp_proxy *c = counter_new(m, 0);
    pthread_t threads[4];
    size_t i;

    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, increments, c) == 0);
    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_CALL0(c, "201", "incr");
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

struct waits {
    mp_proxy *tools, *event;
};

static void *waits(void *arg)
{
    struct waits *w = arg;

    CHECK_OK(CALL(w->tools, "wait", MP_NO_WAIT, mp_item_proxy(w->event)));
    return NULL;
}

/* A child by fork that waits. */
static pid_t waits_in_child(struct waits *w)
{
    pid_t child = fork();

    if (child == 0) {
        waits(w);
        _exit(1);
    }
    return child;
}

static void kill_child(pid_t child)
{
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
}

TEST(manager_own, a_slow_method_holds_up_its_own_object_only)
{
    mp_manager *m = started();
    mp_proxy *other = object_new(m, "Tools"), *c = counter_new(m, 0);
    struct waits w = {object_new(m, "Tools"), object_new(m, "Event")};
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, waits, &w) == 0);
    /* The call, and the event's wait in it. */
    wait_for_waiting(m, 2);
    CHECK_CALL(other, "'x'", "echo", TEXT("x"));
    CHECK_CALL0(c, "1", "incr");
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(other));
    CHECK_OK(mp_proxy_free(c));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

enum { BUSY = 300 };

/* However many objects are at work, others are not held up. */
TEST(manager_own, many_slow_methods)
{
    mp_manager *m = started();
    mp_proxy *c, *event = object_new(m, "Event");
    struct waits w[BUSY];
    pthread_t threads[BUSY];
    size_t i;

    for (i = 0; i < BUSY; i++) {
        w[i].tools = object_new(m, "Tools");
        w[i].event = event;
        CHECK(pthread_create(&threads[i], NULL, waits, &w[i]) == 0);
    }
    /* Each call, and the wait in it. */
    wait_for_waiting(m, 2 * BUSY);
    c = counter_new(m, 0);
    CHECK_CALL0(c, "1", "incr");
    CHECK_OK(mp_proxy_call(event, "set", NULL, 0, NULL, MP_NO_WAIT));
    for (i = 0; i < BUSY; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK_OK(mp_proxy_free(w[i].tools));
    }
    CHECK_OK(mp_proxy_free(event));
    CHECK_OK(mp_proxy_free(c));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, a_killed_caller)
{
    mp_manager *m = started();
    mp_proxy *again = object_new(m, "Tools");
    struct waits w = {object_new(m, "Tools"), object_new(m, "Event")};
    pid_t first = waits_in_child(&w), second;

    wait_for_waiting(m, 2);
    second = waits_in_child(&w);
    wait_for_waiting(m, 3);
    /* One whose call has not begun, and one whose runs. */
    kill_child(second);
    wait_for_waiting(m, 2);
    kill_child(first);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    CHECK_CALL(w.tools, "1", "echo", INT(1));
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(again));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

/* Calls of a concurrent type's object hold up no others of it. */
TEST(manager_own, concurrent_calls)
{
    mp_manager *m = started();
    struct waits w = {counted_new(m, "Crowd", 0), object_new(m, "Event")};
    pthread_t threads[3];
    pid_t child;
    size_t i;

    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, waits, &w) == 0);
    /* Each call, and the wait in it. */
    wait_for_waiting(m, 6);
    CHECK_CALL(w.tools, "1", "echo", INT(1));
    /* One whose caller dies is nobody's, and holds up nobody either. */
    child = waits_in_child(&w);
    wait_for_waiting(m, 8);
    kill_child(child);
    wait_for_waiting(m, 7);
    CHECK_CALL0(w.tools, "1", "counters");
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_manager_free(m));
}

/* An object whose last proxy goes while calls of it run is ended behind them. */
TEST(manager_own, ended_behind_its_calls)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools");
    struct waits w = {counted_new(m, "Crowd", 0), object_new(m, "Event")};
    pid_t children[2];
    size_t i;

    for (i = 0; i < COUNT(children); i++)
        children[i] = waits_in_child(&w);
    wait_for_waiting(m, 4);
    CHECK_OK(mp_proxy_free(w.tools));
    for (i = 0; i < COUNT(children); i++)
        kill_child(children[i]);
    wait_for_waiting(m, 2);
    CHECK_INT(objects(m), 2);
    CHECK_CALL0(tools, "1", "counters");
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    check_counters(tools, 0);
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, who_does_not_wait_longer)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *c;
    struct waits w;

    o.patience = MP_MS(300);
    m = with_types(&o);
    CHECK_OK(mp_manager_start(m));
    c = counter_new(m, 5);
    w.tools = object_new(m, "Tools");
    w.event = object_new(m, "Event");
    CHECK_STATUS(CALL(w.tools, "wait", MP_NO_WAIT, mp_item_proxy(w.event)), MP_ERR_TIMEOUT);
    /* One that waits behind it, and does not begin any more. */
    CHECK_STATUS(mp_proxy_call(w.tools, "add_100", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    CHECK_OK(CALL(w.tools, "echo", MP_SEC(30), INT(2)));
    CHECK_CALL0(w.tools, "1", "counters");
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

/* What was made is ended, whether or not there is a thread to be had then. */
TEST(manager_own, no_more_threads)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *c, *tools;

    /* The server's user becomes another one. */
    o.any_user = true;
    m = with_types(&o);
    CHECK_OK(mp_manager_start(m));
    c = counter_new(m, 0);
    tools = object_new(m, "Tools");
    CHECK_OK(mp_proxy_call(tools, "starve", NULL, 0, NULL, MP_NO_WAIT));
    /* Those that have nothing to do for a second end. */
    sleep_ms(1500);
    CHECK_OK(mp_proxy_free(c));
    check_counters(tools, 0);
    CHECK_OK(mp_proxy_free(tools));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, no_thread_at_all)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *d, *p;

    o.any_user = true;
    o.initializer = starves;
    m = with_types(&o);
    CHECK_OK(mp_manager_start(m));
    CHECK_SENTENCE(mp_manager_create(m, &p, "Tools", NULL, 0), MP_ERR_OS, "no thread");
    d = object_new(m, "dict");
    CHECK_OK(mp_proxy_set(d, INT(1), INT(2)));
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

static void *hangs(void *tools)
{
    CHECK_STATUS(mp_proxy_call(tools, "hang", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_EOF);
    return NULL;
}

/* A shutdown does not wait for a method that never ends. */
TEST(manager_own, a_method_that_never_ends)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools");
    pthread_t thread;
    int pid;

    CHECK(pthread_create(&thread, NULL, hangs, tools) == 0);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(process_gone(pid));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

/* A method that crashes takes the server along, and everybody is told. */
static void crashes(const char *method, mp_item item, size_t count)
{
    mp_manager *m = started();
    struct waits w = {object_new(m, "Tools"), object_new(m, "Event")};
    mp_proxy *tools = object_new(m, "Tools");

    CHECK_STATUS(mp_proxy_call(tools, method, &item, count, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_STATUS(CALL(w.tools, "echo", MP_NO_WAIT, INT(1)), MP_ERR_EOF);
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, a_crash)
{
    crashes("kill", INT(SIGKILL), 1);
    crashes("crash", INT(0), 0);
}

/* Here the objects are this process's own. */
TEST(manager_own, serves_here)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *c, *tools, *slow;
    pthread_t thread;
    mp_answer *a;

    o.shutdown_timeout = MP_FOREVER;
    m = with_types(&o);
    thread = serves_in_a_thread(m);
    c = counter_new(m, 1);
    tools = object_new(m, "Tools");
    CHECK_CALL0(c, "2", "incr");
    CHECK_OK(mp_proxy_call(c, "copy", NULL, 0, &a, MP_NO_WAIT));
    CHECK_OK(mp_proxy_call(tools, "dict", NULL, 0, NULL, MP_NO_WAIT));
    slow = counted_new(m, "Slow", 0);
    check_counters(tools, 3);
    CHECK_OK(mp_manager_shutdown(m));
    /* It serves until what there was is ended. */
    sleep_ms(50);
    CHECK(pthread_tryjoin_np(thread, NULL) == EBUSY);
    released = true;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(counters, 0);
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_proxy_free(slow));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

/* An object's end that lasts holds up nobody. */
TEST(manager_own, a_slow_end)
{
    mp_manager *m = with_types(NULL);
    pthread_t thread = serves_in_a_thread(m);
    mp_proxy *tools = object_new(m, "Tools");

    CHECK_OK(mp_proxy_free(counted_new(m, "Slow", 0)));
    CHECK_INT(objects(m), 1);
    CHECK_CALL0(tools, "1", "counters");
    released = true;
    check_counters(tools, 0);
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_manager_free(m));
}

static bool is_closed(void *before)
{
    return open_descriptors() <= *(int *)before;
}

/* Nor does serving in this process wait for a method that never ends. */
TEST(manager_own, serves_here_no_longer)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *tools;
    pthread_t server, client;
    int before = open_descriptors();

    o.shutdown_timeout = MP_MS(100);
    m = with_types(&o);
    server = serves_in_a_thread(m);
    tools = object_new(m, "Tools");
    CHECK(pthread_create(&client, NULL, hangs, tools) == 0);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(pthread_join(server, NULL) == 0);
    CHECK(pthread_join(client, NULL) == 0);
    /* What it has is closed when the method ends all the same. */
    released = true;
    CHECK(wait_until(is_closed, &before));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}
