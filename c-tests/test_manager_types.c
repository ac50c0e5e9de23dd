/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What managed dicts, lists and the others do. */
#include "test_manager.h"

#include <math.h>
#include <string.h>

#define FAILS(p, want, method, ...)                                                                \
    CHECK_STATUS_CALL(p, want, method, MP_NO_WAIT, __VA_ARGS__)
#define CHECK_STATUS_CALL(p, want, method, timeout, ...)                                           \
    CHECK_INT(CALL(p, method, timeout, __VA_ARGS__), want)

TEST(manager, dict)
{
    mp_manager *m = manager_new();
    mp_item items[] = {INT(1), TEXT("one"), TEXT("two"), mp_item_double(0.25), mp_item_none(),
                       mp_item_bool(true)};
    mp_proxy *d;
    mp_answer *a;
    bool found;
    int64_t sum;

    CHECK_OK(mp_manager_create(m, &d, "dict", items, COUNT(items)));
    check_str(d, "{1: 'one', 'two': 0.25, None: True}");
    CHECK_CALL(d, "'one'", "get", INT(1));
    FAILS(d, MP_ERR_NOT_FOUND, "get", INT(2));
    /* One that is the same number is not the same key. */
    FAILS(d, MP_ERR_NOT_FOUND, "get", mp_item_double(1.0));
    CHECK_CALL(d, "'no'", "get", INT(2), TEXT("no"));
    CHECK_OK(mp_proxy_set(d, INT(1), TEXT("uno")));
    CHECK_CALL0(d, "1 'two' None", "keys");
    CHECK_CALL0(d, "'uno' 0.25 true", "values");
    CHECK_CALL0(d, "1 'uno' 'two' 0.25 None true", "items");
    CHECK_OK(mp_proxy_contains(d, TEXT("two"), &found));
    CHECK(found);
    CHECK_OK(mp_proxy_del(d, TEXT("two")));
    CHECK_STATUS(mp_proxy_del(d, TEXT("two")), MP_ERR_NOT_FOUND);
    CHECK_OK(mp_proxy_contains(d, TEXT("two"), &found));
    CHECK(!found);
    CHECK_CALL(d, "'uno'", "pop", INT(1));
    FAILS(d, MP_ERR_NOT_FOUND, "pop", INT(1));
    CHECK_CALL(d, "None", "pop", INT(1), mp_item_none());
    CHECK_CALL0(d, "None true", "popitem");
    CHECK_INT(mp_proxy_call(d, "popitem", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_NOT_FOUND);
    CHECK_CALL(d, "5", "setdefault", TEXT("n"), INT(5));
    CHECK_CALL(d, "5", "setdefault", TEXT("n"), INT(6));
    CHECK_CALL(d, "", "update", TEXT("a"), INT(1), TEXT("b"), INT(2), TEXT("n"), INT(7));
    FAILS(d, MP_ERR_INVALID, "update", TEXT("a"));
    check_str(d, "{'n': 7, 'a': 1, 'b': 2}");
    CHECK_OK(mp_proxy_fetch_add(d, TEXT("n"), -10, &sum));
    CHECK_INT(sum, -3);
    CHECK_OK(mp_proxy_fetch_add(d, TEXT("new"), 2, NULL));
    CHECK_CALL(d, "2.5", "add", TEXT("new"), mp_item_double(0.5));
    CHECK_STATUS(mp_proxy_fetch_add(d, TEXT("new"), 1, &sum), MP_ERR_REMOTE);
    CHECK_OK(mp_proxy_set(d, TEXT("n"), INT(INT64_MAX)));
    CHECK_SENTENCE(mp_proxy_fetch_add(d, TEXT("n"), 1, NULL), MP_ERR_INVALID, "64 bits");
    CHECK_OK(mp_proxy_set(d, TEXT("n"), TEXT("no number")));
    CHECK_STATUS(mp_proxy_fetch_add(d, TEXT("n"), 1, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_compare_and_set(d, TEXT("a"), INT(2), INT(9), &found));
    CHECK(!found);
    CHECK_OK(mp_proxy_compare_and_set(d, TEXT("a"), INT(1), INT(9), &found));
    CHECK(found);
    CHECK_CALL(d, "false 9", "compare_and_set", TEXT("a"), INT(1), INT(2));
    CHECK_STATUS(mp_proxy_compare_and_set(d, TEXT("x"), INT(1), INT(9), NULL), MP_ERR_NOT_FOUND);
    CHECK_CALL0(d, "", "clear");
    CHECK_CALL0(d, "0", "len");
    check_str(d, "{}");
    /* NaN and both zeros are keys as any other. */
    CHECK_OK(mp_proxy_set(d, mp_item_double(NAN), INT(1)));
    CHECK_OK(mp_proxy_set(d, mp_item_double(-0.0), INT(2)));
    CHECK_CALL(d, "1", "get", mp_item_double(NAN));
    CHECK_CALL(d, "2", "get", mp_item_double(0.0));
    CHECK_OK(mp_proxy_get(d, mp_item_double(NAN), &a));
    CHECK_INT(mp_answer_int(a, 0), 1);
    CHECK_INT(mp_answer_int(a, 1), 0);
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, cursors)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *l = object_new(m, "list"), *s = object_new(m, "set");
    mp_proxy *const all[] = {d, l, s};
    mp_answer *a;
    int64_t position;
    size_t i, k, seen;

    for (i = 0; i < 100; i++) {
        CHECK_OK(mp_proxy_set(d, INT((int64_t)i), INT((int64_t)i * 2)));
        CHECK_OK(mp_proxy_append(l, INT((int64_t)i)));
        CHECK_OK(CALL(s, "add", MP_NO_WAIT, INT((int64_t)i)));
    }
    for (k = 0; k < COUNT(all); k++) {
        size_t step = k == 0 ? 2 : 1;

        for (position = 0, seen = 0;; seen += mp_answer_count(a) / step, CHECK_OK(mp_answer_free(a))) {
            CHECK_OK(mp_proxy_next(all[k], &position, 7, &a));
            if (mp_answer_count(a) == 0)
                break;
            for (i = 0; i < mp_answer_count(a); i += step)
                CHECK_INT(mp_answer_int(a, i), (int64_t)(seen + i / step));
        }
        CHECK_OK(mp_answer_free(a));
        CHECK_INT(seen, 100);
    }
    /* Those that stay come once, whatever goes and comes meanwhile. */
    position = 0;
    CHECK_OK(mp_proxy_next(d, &position, 50, &a));
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_proxy_del(d, INT(10)));
    CHECK_OK(mp_proxy_del(d, INT(50)));
    CHECK_OK(mp_proxy_set(d, INT(1000), INT(0)));
    CHECK_OK(mp_proxy_next(d, &position, 1000, &a));
    CHECK_INT(mp_answer_count(a), 2 * 50);
    CHECK_INT(mp_answer_int(a, 0), 51);
    CHECK_INT(mp_answer_int(a, 98), 1000);
    CHECK_OK(mp_answer_free(a));
    CHECK_CALL(d, "101 1000 0", "previous", INT(0), INT(1));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_proxy_free(s));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, list)
{
    mp_manager *m = manager_new();
    mp_item items[] = {INT(3), INT(1), INT(2)}, mixed[] = {INT(1), TEXT("x")};
    mp_proxy *l;
    size_t length;
    bool found;

    CHECK_OK(mp_manager_create(m, &l, "list", items, COUNT(items)));
    CHECK_CALL(l, "", "extend", TEXT("a"), TEXT("it's"));
    check_str(l, "[3, 1, 2, 'a', \"it's\"]");
    CHECK_CALL(l, "", "insert", INT(1), mp_item_bytes("\0\xff", 2));
    CHECK_CALL(l, "", "insert", INT(-100), mp_item_none());
    check_str(l, "[None, 3, b'\\x00\\xff', 1, 2, 'a', \"it's\"]");
    CHECK_CALL0(l, "'it's'", "pop");
    CHECK_CALL(l, "None", "pop", INT(0));
    CHECK_CALL(l, "2 bytes", "pop", INT(-4));
    FAILS(l, MP_ERR_INVALID, "pop", INT(4));
    CHECK_CALL(l, "'a'", "get", INT(-1));
    CHECK_STATUS(mp_proxy_set(l, INT(4), INT(0)), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_del(l, INT(-5)), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_set(l, INT(3), INT(1)));
    CHECK_CALL(l, "2", "count", INT(1));
    CHECK_CALL(l, "1", "index", INT(1));
    CHECK_CALL(l, "3", "index", INT(1), INT(2));
    FAILS(l, MP_ERR_NOT_FOUND, "index", INT(1), INT(2), INT(3));
    CHECK_CALL(l, "", "remove", INT(1));
    FAILS(l, MP_ERR_NOT_FOUND, "remove", TEXT("a"));
    check_str(l, "[3, 2, 1]");
    CHECK_OK(mp_proxy_append(l, mp_item_double(2.5)));
    CHECK_CALL0(l, "", "sort");
    check_str(l, "[1, 2, 2.5, 3]");
    CHECK_CALL(l, "", "sort", mp_item_bool(true));
    check_str(l, "[3, 2.5, 2, 1]");
    CHECK_CALL0(l, "", "reverse");
    CHECK_CALL(l, "2 2.5", "items", INT(1), INT(-1));
    CHECK_CALL(l, "1 2.5", "items", INT(0), INT(4), INT(2));
    FAILS(l, MP_ERR_INVALID, "items", INT(0), INT(4), INT(0));
    CHECK_CALL(l, "11", "add", INT(0), INT(10));
    CHECK_OK(mp_proxy_compare_and_set(l, INT(0), INT(11), INT(12), &found));
    CHECK(found);
    CHECK_CALL(l, "", "repeat", INT(2));
    check_str(l, "[12, 2, 2.5, 3, 12, 2, 2.5, 3]");
    FAILS(l, MP_ERR_NO_MEMORY, "repeat", INT(INT64_MAX));
    CHECK_CALL(l, "", "repeat", INT(0));
    CHECK_OK(mp_proxy_len(l, &length));
    CHECK_INT(length, 0);
    CHECK_INT(mp_proxy_call(l, "pop", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_NOT_FOUND);
    CHECK_CALL(l, "", "extend", INT(INT64_MAX), INT(INT64_MAX - 1), mp_item_bool(true));
    CHECK_CALL0(l, "", "sort");
    check_str(l, "[True, 9223372036854775806, 9223372036854775807]");
    CHECK_OK(mp_proxy_contains(l, mp_item_bool(true), &found));
    CHECK(found);
    CHECK_OK(mp_proxy_contains(l, INT(1), &found));
    CHECK(!found);
    CHECK_CALL0(l, "", "clear");
    check_str(l, "[]");
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_create(m, &l, "list", mixed, COUNT(mixed)));
    CHECK_INT(mp_proxy_call(l, "sort", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    check_str(l, "[1, 'x']");
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, set)
{
    mp_manager *m = manager_new();
    mp_item items[] = {INT(1), INT(2), INT(3), INT(2)};
    mp_proxy *s, *l = object_new(m, "list"), *e = object_new(m, "Event");

    CHECK_OK(mp_manager_create(m, &s, "set", items, COUNT(items)));
    check_str(s, "{1, 2, 3}");
    CHECK_CALL(s, "", "add", INT(3));
    CHECK_CALL(s, "", "discard", INT(9));
    FAILS(s, MP_ERR_NOT_FOUND, "remove", INT(9));
    CHECK_CALL(s, "", "remove", INT(1));
    CHECK_CALL(s, "true", "contains", INT(2));
    CHECK_OK(CALL(l, "extend", MP_NO_WAIT, INT(3), INT(4), INT(4)));
    CHECK_CALL(s, "2 3 4", "union", mp_item_proxy(l));
    CHECK_CALL(s, "3", "intersection", mp_item_proxy(l));
    CHECK_CALL(s, "2", "difference", mp_item_proxy(l));
    CHECK_CALL(s, "2 4", "symmetric_difference", mp_item_proxy(l));
    CHECK_CALL(s, "false", "issubset", mp_item_proxy(l));
    CHECK_CALL(s, "true", "issubset", INT(3), INT(2), INT(1));
    CHECK_CALL(s, "true", "issuperset", INT(3));
    CHECK_CALL(s, "true", "isdisjoint", INT(5), INT(6));
    FAILS(s, MP_ERR_INVALID, "union", mp_item_proxy(e));
    FAILS(s, MP_ERR_INVALID, "union", mp_item_proxy(s));
    FAILS(s, MP_ERR_INVALID, "add", mp_item_proxy(l));
    CHECK_CALL(s, "", "symmetric_difference_update", mp_item_proxy(l));
    check_str(s, "{2, 4}");
    CHECK_CALL(s, "", "update", INT(5), INT(6));
    CHECK_CALL(s, "", "difference_update", INT(2));
    CHECK_CALL(s, "", "intersection_update", INT(5), INT(4), INT(7));
    check_str(s, "{4, 5}");
    CHECK_CALL0(s, "4", "pop");
    CHECK_CALL0(s, "1", "len");
    CHECK_CALL0(s, "", "clear");
    check_str(s, "set()");
    CHECK_INT(mp_proxy_call(s, "pop", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_NOT_FOUND);
    CHECK_OK(mp_proxy_free(s));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_proxy_free(e));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, namespace_value_array)
{
    mp_manager *m = manager_new();
    mp_item space[] = {TEXT("y"), TEXT("hello")}, value[] = {TEXT("i"), INT(10)};
    mp_item array[] = {TEXT("h"), INT(1), INT(-2)}, wrong[] = {TEXT("h"), INT(40000)};
    mp_item no_code[] = {TEXT("x"), INT(1)}, floats[] = {TEXT("f"), mp_item_double(0.1)};
    mp_proxy *n, *v, *a, *f;
    int64_t sum;
    bool done;

    CHECK_OK(mp_manager_create(m, &n, "Namespace", space, COUNT(space)));
    CHECK_OK(mp_proxy_set(n, TEXT("x"), INT(10)));
    check_str(n, "Namespace(x=10, y='hello')");
    CHECK_STATUS(mp_proxy_set(n, TEXT("_z"), INT(1)), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_set(n, INT(1), INT(1)), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_proxy_get_int(n, TEXT("z"), &sum), MP_ERR_NOT_FOUND);
    CHECK_STATUS(mp_proxy_get_int(n, TEXT("y"), &sum), MP_ERR_REMOTE);
    CHECK_OK(mp_proxy_get_int(n, TEXT("x"), &sum));
    CHECK_INT(sum, 10);
    CHECK_OK(mp_proxy_fetch_add(n, TEXT("x"), 5, &sum));
    CHECK_INT(sum, 15);
    CHECK_STATUS(mp_proxy_fetch_add(n, TEXT("z"), 5, &sum), MP_ERR_NOT_FOUND);
    CHECK_OK(mp_proxy_del(n, TEXT("y")));
    CHECK_STATUS(mp_proxy_del(n, TEXT("y")), MP_ERR_NOT_FOUND);
    check_str(n, "Namespace(x=15)");
    CHECK_OK(mp_proxy_free(n));

    CHECK_OK(mp_manager_create(m, &v, "Value", value, COUNT(value)));
    check_str(v, "Value('i', 10)");
    CHECK_OK(mp_proxy_set(v, mp_item_none(), INT(11)));
    CHECK_OK(mp_proxy_get_int(v, mp_item_none(), &sum));
    CHECK_INT(sum, 11);
    CHECK_OK(mp_proxy_fetch_add(v, mp_item_none(), 1, &sum));
    CHECK_INT(sum, 12);
    CHECK_OK(mp_proxy_compare_and_set(v, mp_item_none(), INT(12), TEXT("t"), &done));
    CHECK(done);
    CHECK_CALL0(v, "'t'", "get");
    CHECK_OK(mp_proxy_free(v));

    CHECK_OK(mp_manager_create(m, &a, "Array", array, COUNT(array)));
    check_str(a, "array('h', [1, -2])");
    CHECK_OK(mp_proxy_set(a, INT(-1), INT(32767)));
    CHECK_STATUS(mp_proxy_set(a, INT(0), INT(32768)), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_set(a, INT(0), TEXT("1")), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_set(a, INT(2), INT(0)), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_fetch_add(a, INT(1), 1, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_fetch_add(a, INT(0), 1, &sum));
    CHECK_INT(sum, 2);
    CHECK_CALL0(a, "2", "len");
    CHECK_CALL0(a, "2 32767", "items");
    CHECK_STATUS(mp_proxy_append(a, INT(1)), MP_ERR_UNSUPPORTED);
    CHECK_OK(mp_proxy_free(a));
    CHECK_OK(mp_manager_create(m, &f, "Array", floats, COUNT(floats)));
    check_str(f, "array('f', [0.10000000149011612])");
    CHECK_OK(mp_proxy_free(f));
    CHECK_STATUS(mp_manager_create(m, &a, "Array", wrong, COUNT(wrong)), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &a, "Array", no_code, COUNT(no_code)), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &a, "Array", NULL, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &a, "Value", NULL, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &a, "Namespace", wrong, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &a, "dict", wrong, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &a, "Lock", wrong, 1), MP_ERR_INVALID);
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}
