/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What an answer gave that its client did not come to read, and what one gave that was read. */
#include "test_manager.h"

#include <string.h>

enum { CALL_METHOD = 2, CREATE = 3, RELEASE = 5 };

/* Asks for a method without arguments, and does not read the answer. */
static void call_unread(mp_connection *c, uint64_t object, const char *method)
{
    raw_say(c, CALL_METHOD, object, method, "\0\0\0\0", 4);
}

static bool is_empty_queue(void *q)
{
    mp_answer *a;
    bool empty;

    CHECK_OK(mp_proxy_call(q, "empty", NULL, 0, &a, MP_NO_WAIT));
    empty = mp_answer_int(a, 0) != 0;
    CHECK_OK(mp_answer_free(a));
    return empty;
}

static bool only_one(void *m)
{
    return objects(m) == 1;
}

/* An item whose getter is gone before it read the answer is there again, in front. */
TEST(manager, item_unread)
{
    mp_manager *m = manager_new();
    mp_proxy *q = object_new(m, "Queue"), *l = object_new(m, "list");
    mp_connection *c = raw_session(m, 1);
    mp_answer *a;

    CHECK_CALL(q, "", "put", TEXT("first"));
    call_unread(c, 1, "get");
    CHECK(wait_until(is_empty_queue, q));
    CHECK_CALL(q, "", "put", TEXT("second"));
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_proxy_call(q, "get", NULL, 0, &a, MP_FOREVER));
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_proxy_call(q, "get", NULL, 0, &a, MP_FOREVER));
    CHECK_OK(mp_answer_free(a));
    /* Also one that is an object, which nobody else holds meanwhile. */
    CHECK_CALL(q, "", "put", mp_item_proxy(l));
    CHECK_OK(mp_proxy_free(l));
    c = raw_session(m, 1);
    call_unread(c, 1, "get");
    CHECK(wait_until(is_empty_queue, q));
    CHECK_INT(objects(m), 2);
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_proxy_call(q, "get", NULL, 0, &a, MP_FOREVER));
    CHECK_OK(mp_answer_proxy(a, 0, &l));
    CHECK_OK(mp_answer_free(a));
    check_str(l, "[]");
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_manager_free(m));
}

/* An item that was read is gone, also where that was the last that its getter did. */
TEST(manager, item_read)
{
    mp_manager *m = manager_new();
    mp_proxy *q = object_new(m, "Queue");
    mp_connection *c = raw_session(m, 1);

    CHECK_CALL(q, "", "put", TEXT("once"));
    CHECK_INT(raw_ask(c, CREATE, 0, "dict"), MP_OK);
    CHECK_INT(raw_ask(c, CALL_METHOD, 1, "get"), MP_OK);
    CHECK_OK(mp_connection_free(c));
    CHECK(wait_until(only_one, m));
    CHECK(is_empty_queue(q));
    CHECK_CALL0(q, "0", "qsize");
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_manager_free(m));
}

/* A batch that fails loses no item. */
TEST(manager, item_of_a_failed_batch)
{
    mp_manager *m = manager_new();
    mp_proxy *q = object_new(m, "Queue");
    mp_proxy_step steps[3];

    memset(steps, 0, sizeof steps);
    steps[0].proxy = steps[1].proxy = steps[2].proxy = q;
    steps[0].method = steps[1].method = steps[2].method = "get";
    CHECK_CALL(q, "", "put", INT(1));
    CHECK_CALL(q, "", "put", INT(2));
    CHECK_STATUS(mp_proxy_batch(steps, COUNT(steps), NULL), MP_ERR_EMPTY);
    CHECK_CALL0(q, "1", "get");
    CHECK_CALL0(q, "2", "get");
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_manager_free(m));
}

/* A session on two connections keeps what one of them was given and read, when that one ends; what it
 * did not read it does not have. */
TEST(manager, connection_of_a_living_session)
{
    mp_manager *m = manager_new();
    mp_proxy *lock = object_new(m, "Lock");
    mp_connection *stays = raw_session(m, 1), *goes = raw_session(m, 1);

    CHECK_INT(raw_ask(goes, CREATE, 0, "list"), MP_OK);
    CHECK_OK(mp_connection_free(goes));
    goes = raw_session(m, 1);
    CHECK_INT(raw_ask(goes, CALL_METHOD, 1, "acquire"), MP_OK);
    CHECK_OK(mp_connection_free(goes));
    CHECK_INT(raw_ask(stays, CALL_METHOD, 2, "len"), MP_OK);
    CHECK_CALL0(lock, "true", "locked");
    CHECK_INT(objects(m), 2);
    /* Its lease ends once. */
    raw_say(stays, RELEASE, 0, "", "\1\0\0\0\6\2\0\0\0\0\0\0\0", 13);
    CHECK_INT(raw_answer(stays), MP_OK);
    CHECK_INT(raw_ask(stays, CALL_METHOD, 2, "len"), MP_ERR_CLOSED);
    CHECK_INT(raw_ask(stays, CALL_METHOD, 1, "release"), MP_OK);
    goes = raw_session(m, 1);
    call_unread(goes, 1, "acquire");
    while (mp_proxy_acquire(lock, MP_NO_WAIT) == MP_OK)
        CHECK_OK(mp_proxy_release(lock));
    CHECK_OK(mp_connection_free(goes));
    CHECK_INT(mp_proxy_acquire(lock, MP_FOREVER), MP_OWNER_DIED);
    CHECK_OK(mp_connection_free(stays));
    CHECK_OK(mp_proxy_release(lock));
    CHECK_OK(mp_proxy_free(lock));
    CHECK_OK(mp_manager_free(m));
}
