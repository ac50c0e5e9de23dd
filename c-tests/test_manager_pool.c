/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: a pool in the server's process. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void square(mp_task *task, void *user)
{
    int64_t x;

    CHECK(user == NULL);
    memcpy(&x, mp_task_input(task, NULL), sizeof x);
    if (x < 0) {
        CHECK_OK(mp_task_fail(task, "below 0"));
        return;
    }
    x *= x;
    CHECK_OK(mp_task_return(task, &x, sizeof x));
}

static void whose(mp_task *task, void *user)
{
    int pids[2] = {getpid(), getppid()};

    CHECK(user == NULL);
    CHECK_OK(mp_task_return(task, pids, sizeof pids));
}

static void dies(mp_task *task, void *user)
{
    CHECK(task != NULL && user == NULL);
    raise(SIGKILL);
}

static void never_ends(mp_task *task, void *user)
{
    CHECK(task != NULL && user == NULL);
    for (;;)
        pause();
}

/* Squares what is not 0. */
static void never_ends_at_0(mp_task *task, void *user)
{
    int64_t x;

    memcpy(&x, mp_task_input(task, NULL), sizeof x);
    if (x == 0)
        never_ends(task, user);
    square(task, user);
}

/* In every image, before its main: the server's workers know the functions by name. */
__attribute__((constructor)) static void registers(void)
{
    mp_register_target("manager_pool.square", (mp_function)square);
    mp_register_target("manager_pool.whose", (mp_function)whose);
    mp_register_target("manager_pool.dies", (mp_function)dies);
    mp_register_target("manager_pool.never_ends", (mp_function)never_ends);
    mp_register_target("manager_pool.never_ends_at_0", (mp_function)never_ends_at_0);
}

static mp_proxy *pool_of(mp_manager *m, int workers)
{
    mp_item item = mp_item_int(workers);
    mp_proxy *p;

    CHECK_OK(mp_manager_create(m, &p, "Pool", &item, 1));
    return p;
}

static int64_t number_at(mp_answer *a, size_t i)
{
    mp_item item;
    int64_t x;

    CHECK_OK(mp_answer_item(a, i, &item));
    CHECK_INT(item.kind, MP_ITEM_BYTES);
    CHECK_INT(item.data_size, sizeof x);
    memcpy(&x, item.data, sizeof x);
    return x;
}

enum { ITEMS = 10 };

/* The name, and the numbers from 0. */
static void fill(mp_item *items, int64_t *numbers)
{
    int i;

    items[0] = TEXT("manager_pool.square");
    for (i = 0; i < ITEMS; i++) {
        numbers[i] = i;
        items[i + 1] = mp_item_bytes(&numbers[i], sizeof numbers[i]);
    }
}

static void check_squares(mp_answer *a)
{
    int i;

    CHECK_INT(mp_answer_count(a), ITEMS);
    for (i = 0; i < ITEMS; i++)
        CHECK_INT(number_at(a, (size_t)i), i * i);
    CHECK_OK(mp_answer_free(a));
}

TEST(manager_pool, apply_and_map)
{
    mp_manager *m = manager_new();
    mp_proxy *p = pool_of(m, 2);
    mp_item items[ITEMS + 1];
    int64_t numbers[ITEMS], below = -1;
    mp_answer *a;

    fill(items, numbers);
    CHECK_OK(mp_proxy_call(p, "map", items, ITEMS + 1, &a, MP_FOREVER));
    check_squares(a);
    items[1] = items[8];
    CHECK_OK(mp_proxy_call(p, "apply", items, 2, &a, MP_FOREVER));
    CHECK_INT(number_at(a, 0), 49);
    CHECK_OK(mp_answer_free(a));
    items[2] = mp_item_bytes(&below, sizeof below);
    CHECK_SENTENCE(mp_proxy_call(p, "map", items, 3, NULL, MP_FOREVER), MP_ERR_TASK_FAILED,
                   "below 0");
    CHECK_STATUS(mp_proxy_call(p, "apply", items, 3, NULL, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_call(p, "apply", NULL, 0, NULL, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(CALL(p, "apply", MP_FOREVER, TEXT("nobody's"), TEXT("")), MP_ERR_UNKNOWN_TARGET);
    CHECK_STATUS(CALL(p, "map", MP_FOREVER, TEXT("manager_pool.square"), INT(1)), MP_ERR_INVALID);
    CHECK_CALL(p, "", "map", TEXT("manager_pool.square"));
    /* A worker that dies fails its task, and the pool goes on. */
    CHECK_STATUS(CALL(p, "apply", MP_FOREVER, TEXT("manager_pool.dies"), TEXT("")),
                 MP_ERR_WORKER_DIED);
    fill(items, numbers);
    CHECK_OK(mp_proxy_call(p, "map", items, ITEMS + 1, &a, MP_FOREVER));
    check_squares(a);
    CHECK_OK(mp_proxy_call(p, "close", NULL, 0, NULL, MP_NO_WAIT));
    CHECK_STATUS(mp_proxy_call(p, "map", items, ITEMS + 1, NULL, MP_FOREVER), MP_ERR_STATE);
    CHECK_OK(mp_proxy_call(p, "join", NULL, 0, NULL, MP_FOREVER));
    CHECK_OK(mp_proxy_free(p));
    CHECK_INT(mp_manager_create(m, &p, "Pool", items, 1), MP_ERR_INVALID);
    CHECK_INT(mp_manager_create(m, &p, "AsyncResult", NULL, 0), MP_ERR_UNSUPPORTED);
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

static mp_proxy *begin(const mp_proxy *p, const char *method, const mp_item *items, size_t n)
{
    mp_proxy *result;
    mp_answer *a;

    CHECK_OK(mp_proxy_call(p, method, items, n, &a, MP_NO_WAIT));
    CHECK_OK(mp_answer_proxy(a, 0, &result));
    CHECK_OK(mp_answer_free(a));
    return result;
}

TEST(manager_pool, asynchronous)
{
    mp_manager *m = manager_new();
    mp_proxy *p = pool_of(m, 2), *all, *one, *bad;
    mp_item items[ITEMS + 1], dying[] = {TEXT("manager_pool.dies"), TEXT("")};
    int64_t numbers[ITEMS];
    mp_answer *a;

    fill(items, numbers);
    all = begin(p, "map_async", items, ITEMS + 1);
    items[1] = items[9];
    one = begin(p, "apply_async", items, 2);
    bad = begin(p, "apply_async", dying, 2);
    CHECK_OK(mp_proxy_call(all, "get", NULL, 0, &a, MP_FOREVER));
    check_squares(a);
    CHECK_OK(mp_proxy_call(one, "wait", NULL, 0, NULL, MP_FOREVER));
    CHECK_CALL0(one, "true", "ready");
    CHECK_CALL0(one, "true", "successful");
    /* As often as it is asked for. */
    CHECK_OK(mp_proxy_call(one, "get", NULL, 0, NULL, MP_FOREVER));
    CHECK_OK(mp_proxy_call(one, "get", NULL, 0, &a, MP_FOREVER));
    CHECK_INT(number_at(a, 0), 64);
    CHECK_OK(mp_answer_free(a));
    CHECK_STATUS(CALL(one, "get", MP_NO_WAIT, TEXT("soon")), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_call(bad, "get", NULL, 0, NULL, MP_FOREVER), MP_ERR_WORKER_DIED);
    CHECK_CALL0(bad, "false", "successful");
    /* A result outlives its pool. */
    CHECK_OK(mp_proxy_free(p));
    CHECK_CALL0(one, "true", "ready");
    CHECK_OK(mp_proxy_free(one));
    CHECK_OK(mp_proxy_free(all));
    CHECK_OK(mp_proxy_free(bad));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

/* Takes a result; gives its place, or -1 where all were taken. */
static int64_t take(const mp_proxy *iterator, int64_t *result)
{
    int64_t place = -1;
    mp_answer *a;

    CHECK_OK(mp_proxy_call(iterator, "next", NULL, 0, &a, MP_FOREVER));
    if (mp_answer_count(a) > 0) {
        CHECK_INT(mp_answer_count(a), 2);
        place = mp_answer_int(a, 0);
        *result = number_at(a, 1);
    }
    CHECK_OK(mp_answer_free(a));
    return place;
}

/* Argument 0: an iterator, of which it takes one result. */
static int takes_one(mp_child *self, void *user)
{
    int64_t result;

    CHECK(user == NULL);
    CHECK_INT(take(mp_child_proxy(self, 0), &result), 1);
    return (int)result;
}

TEST(manager_pool, imap)
{
    mp_manager *m = manager_new();
    mp_proxy *p = pool_of(m, 2), *it;
    const mp_item dying[] = {TEXT("manager_pool.dies"), TEXT(""), TEXT("")};
    mp_item items[ITEMS + 1];
    int64_t numbers[ITEMS], result;
    int i, seen = 0;

    fill(items, numbers);
    it = begin(p, "imap", items, ITEMS + 1);
    for (i = 0; i < ITEMS; i++) {
        if (i == 1) {
            /* Another process takes what comes next. */
            CHECK_INT(child_end(CHILD_START(takes_one, it)), 1);
            continue;
        }
        CHECK_INT(take(it, &result), i);
        CHECK_INT(result, i * i);
    }
    CHECK_INT(take(it, &result), -1);
    CHECK_INT(take(it, &result), -1);
    CHECK_OK(mp_proxy_free(it));
    it = begin(p, "imap_unordered", items, ITEMS + 1);
    for (i = 0; i < ITEMS; i++) {
        int64_t place = take(it, &result);

        CHECK(place >= 0 && place < ITEMS && (seen & 1 << place) == 0);
        CHECK_INT(result, place * place);
        seen |= 1 << place;
    }
    CHECK_INT(take(it, &result), -1);
    CHECK_OK(mp_proxy_free(it));
    /* An input that failed is one answer's failure. */
    numbers[1] = -1;
    it = begin(p, "imap", items, 4);
    CHECK_INT(take(it, &result), 0);
    CHECK_SENTENCE(mp_proxy_call(it, "next", NULL, 0, NULL, MP_FOREVER), MP_ERR_TASK_FAILED,
                   "below 0");
    CHECK_INT(take(it, &result), 2);
    CHECK_INT(take(it, &result), -1);
    CHECK_OK(mp_proxy_free(it));
    it = begin(p, "imap", dying, 3);
    for (i = 0; i < 2; i++)
        CHECK_STATUS(mp_proxy_call(it, "next", NULL, 0, NULL, MP_FOREVER), MP_ERR_WORKER_DIED);
    CHECK_INT(take(it, &result), -1);
    CHECK_OK(mp_proxy_free(it));
    /* Without inputs, and without a function. */
    it = begin(p, "imap", items, 1);
    CHECK_INT(take(it, &result), -1);
    CHECK_OK(mp_proxy_free(it));
    CHECK_STATUS(mp_proxy_call(p, "imap", NULL, 0, NULL, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(CALL(p, "imap", MP_FOREVER, TEXT("nobody's"), TEXT("")), MP_ERR_UNKNOWN_TARGET);
    CHECK_STATUS(mp_manager_create(m, &it, "Iterator", NULL, 0), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_proxy_free(p));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

static void *nexts(void *iterator)
{
    CHECK_STATUS(mp_proxy_call(iterator, "next", NULL, 0, NULL, MP_FOREVER), MP_ERR_CANCELLED);
    return NULL;
}

/* Who waits for a result that does not come gives up, or is told when the pool ends. */
TEST(manager_pool, imap_that_does_not_end)
{
    mp_manager *m = manager_new();
    mp_proxy *p = pool_of(m, 2), *it;
    mp_item items[ITEMS + 1], endless[] = {TEXT("manager_pool.never_ends"), TEXT("")};
    int64_t numbers[ITEMS], result;
    pthread_t thread;

    fill(items, numbers);
    items[0] = TEXT("manager_pool.never_ends_at_0");
    it = begin(p, "imap_unordered", items, 3);
    CHECK_INT(take(it, &result), 1);
    CHECK_OK(mp_proxy_free(it));
    it = begin(p, "imap", endless, 2);
    CHECK_STATUS(CALL(it, "next", MP_FOREVER, INT(0)), MP_ERR_TIMEOUT);
    CHECK_STATUS(CALL(it, "next", MP_FOREVER, INT(MP_MS(20))), MP_ERR_TIMEOUT);
    CHECK_STATUS(CALL(it, "next", MP_FOREVER, TEXT("soon")), MP_ERR_INVALID);
    CHECK(pthread_create(&thread, NULL, nexts, it) == 0);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_proxy_call(p, "terminate", NULL, 0, NULL, MP_NO_WAIT));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_proxy_free(it));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

static void *applies(void *pool)
{
    CHECK_STATUS(CALL(pool, "apply", MP_FOREVER, TEXT("manager_pool.never_ends"), TEXT("")),
                 MP_ERR_CANCELLED);
    return NULL;
}

static void *gets(void *result)
{
    CHECK_STATUS(mp_proxy_call(result, "get", NULL, 0, NULL, MP_FOREVER), MP_ERR_CANCELLED);
    return NULL;
}

/* Who waits for a task, or for its result, holds up nobody else. */
TEST(manager_pool, at_the_same_time)
{
    mp_manager *m = manager_new();
    mp_proxy *p = pool_of(m, 3), *result;
    mp_item items[ITEMS + 1], endless[] = {TEXT("manager_pool.never_ends"), TEXT("")};
    int64_t numbers[ITEMS];
    pthread_t threads[3];
    mp_answer *a;
    size_t i;

    CHECK(pthread_create(&threads[0], NULL, applies, p) == 0);
    wait_for_waiting(m, 1);
    result = begin(p, "apply_async", endless, 2);
    CHECK(pthread_create(&threads[1], NULL, gets, result) == 0);
    CHECK(pthread_create(&threads[2], NULL, gets, result) == 0);
    wait_for_waiting(m, 3);
    fill(items, numbers);
    CHECK_OK(mp_proxy_call(p, "map", items, ITEMS + 1, &a, MP_FOREVER));
    check_squares(a);
    CHECK_CALL0(result, "false", "ready");
    CHECK_STATUS(CALL(result, "get", MP_NO_WAIT, INT(0)), MP_ERR_TIMEOUT);
    wait_for_waiting(m, 3);
    CHECK_OK(mp_proxy_call(p, "terminate", NULL, 0, NULL, MP_NO_WAIT));
    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(mp_proxy_free(result));
    CHECK_OK(mp_proxy_free(p));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

/* The workers are the server's children, and go with it. */
TEST(manager_pool, a_killed_server)
{
    mp_manager *m = manager_new();
    mp_proxy *p = pool_of(m, 1);
    const mp_item items[] = {TEXT("manager_pool.whose"), TEXT("")};
    mp_item item;
    int pids[2], server, worker;
    mp_answer *a;

    CHECK_OK(mp_proxy_call(p, "apply", items, 2, &a, MP_FOREVER));
    CHECK_OK(mp_answer_item(a, 0, &item));
    CHECK_INT(item.data_size, sizeof pids);
    memcpy(pids, item.data, sizeof pids);
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_manager_pid(m, &server));
    worker = pids[0];
    CHECK(worker != server);
    CHECK(kill(server, SIGKILL) == 0);
    CHECK_STATUS(mp_proxy_call(p, "apply", items, 2, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK(wait_until(gone, &worker));
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}
