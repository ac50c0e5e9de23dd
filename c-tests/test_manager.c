/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: their life, and proxies on their way. */
#include "test_manager.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mp_manager *manager_new(void)
{
    mp_manager *m;

    CHECK_OK(mp_manager_new(&m, NULL));
    CHECK_OK(mp_manager_start(m));
    return m;
}

static void *serves(void *m)
{
    CHECK_OK(mp_manager_serve_forever(m));
    return NULL;
}

static bool serves_now(void *m)
{
    char address[128];

    return mp_manager_address(m, address, sizeof address, NULL) == MP_OK;
}

pthread_t serves_in_a_thread(mp_manager *m)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, serves, m) == 0);
    CHECK(wait_until(serves_now, m));
    return thread;
}

mp_proxy *object_new(mp_manager *m, const char *type)
{
    mp_proxy *p;

    CHECK_OK(mp_manager_create(m, &p, type, NULL, 0));
    return p;
}

void check_str(const mp_proxy *p, const char *want)
{
    mp_buffer *text;
    const char *data;
    size_t len;

    CHECK_OK(mp_proxy_str(p, &text));
    data = mp_buffer_data(text, &len);
    if (len != strlen(want) || memcmp(data, want, len) != 0) {
        printf("# got %.*s\n", (int)len, data);
        check_failed(__FILE__, __LINE__, "check_str", want);
    }
    CHECK_OK(mp_buffer_free(text));
}

uint64_t objects(const mp_manager *m)
{
    uint64_t n;

    CHECK_OK(mp_manager_number_of_objects(m, &n));
    return n;
}

mp_status call_items(const mp_proxy *p, const char *method, mp_timeout timeout,
                     const mp_item *items, size_t count)
{
    return mp_proxy_call(p, method, items, count, NULL, timeout);
}

const char *answer_text(mp_answer *a)
{
    static char text[4096];
    size_t i, at = 0, count = mp_answer_count(a);

    text[0] = 0;
    for (i = 0; i < count && at < sizeof text - 64; i++) {
        mp_item item;
        int room = (int)(sizeof text - at);
        const char *gap = i > 0 ? " " : "";

        CHECK_OK(mp_answer_item(a, i, &item));
        switch (item.kind) {
        case MP_ITEM_NONE: at += (size_t)snprintf(text + at, (size_t)room, "%sNone", gap); break;
        case MP_ITEM_INT:
            at += (size_t)snprintf(text + at, (size_t)room, "%s%lld", gap, (long long)item.integer);
            break;
        case MP_ITEM_DOUBLE:
            at += (size_t)snprintf(text + at, (size_t)room, "%s%g", gap, item.number);
            break;
        case MP_ITEM_BOOL:
            at += (size_t)snprintf(text + at, (size_t)room, "%s%s", gap,
                                   item.boolean ? "true" : "false");
            break;
        case MP_ITEM_TEXT:
            CHECK_INT(strlen(item.data), item.data_size);
            at += (size_t)snprintf(text + at, (size_t)room, "%s'%s'", gap, (const char *)item.data);
            break;
        case MP_ITEM_BYTES:
            at += (size_t)snprintf(text + at, (size_t)room, "%s%zu bytes", gap, item.data_size);
            break;
        default: at += (size_t)snprintf(text + at, (size_t)room, "%sobject", gap); break;
        }
    }
    return text;
}

void check_call(int line, const mp_proxy *p, const char *want, const char *method,
                const mp_item *items, size_t count)
{
    mp_answer *a;
    const char *got;
    mp_status status = mp_proxy_call(p, method, count > 0 ? items + 1 : NULL,
                                     count > 0 ? count - 1 : 0, &a, MP_NO_WAIT);

    if (status != MP_OK)
        check_failed(__FILE__, line, method, mp_last_error());
    got = answer_text(a);
    if (strcmp(got, want) != 0) {
        printf("# got %s\n", got);
        check_failed(__FILE__, line, method, want);
    }
    CHECK_OK(mp_answer_free(a));
}

static int counts(mp_child *self, void *user)
{
    mp_proxy *d = mp_child_proxy(self, 0), *l = mp_child_proxy(self, 1);
    int i;

    CHECK(user == NULL && d != NULL && l != NULL);
    CHECK(mp_child_proxy(self, 0) == d);
    CHECK_NULL(mp_child_lock(self, 0));
    CHECK_NULL(mp_child_bytes(self, 0, NULL));
    for (i = 0; i < 100; i++)
        CHECK_OK(mp_proxy_fetch_add(d, TEXT("visits"), 1, NULL));
    CHECK_OK(mp_proxy_append(l, TEXT("done")));
    return 0;
}

/* Five processes share a dict and a list. */
TEST(manager, shared_among_five)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *l = object_new(m, "list");
    mp_process *children[5];
    size_t i, length;
    int64_t visits;

    for (i = 0; i < COUNT(children); i++)
        children[i] = CHILD_START(counts, d, l);
    for (i = 0; i < COUNT(children); i++)
        CHECK_INT(child_end(children[i]), 0);
    CHECK_OK(mp_proxy_get_int(d, TEXT("visits"), &visits));
    CHECK_INT(visits, 500);
    CHECK_OK(mp_proxy_len(l, &length));
    CHECK_INT(length, 5);
    check_str(d, "{'visits': 500}");
    CHECK_INT(objects(m), 2);
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, states)
{
    mp_manager *m, *other;
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_proxy *p;
    char address[128];
    uint64_t n;
    int pid;

    CHECK_OK(mp_manager_new(&m, NULL));
    CHECK_SENTENCE(mp_manager_create(m, &p, "dict", NULL, 0), MP_ERR_STATE, "not started");
    CHECK_STATUS(mp_manager_number_of_objects(m, &n), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_shutdown(m), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_join(m, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_pid(m, &pid), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_address(m, address, sizeof address, NULL), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_connect(m, MP_SEC(1)), MP_ERR_INVALID);
    CHECK_OK(mp_manager_start(m));
    CHECK_SENTENCE(mp_manager_start(m), MP_ERR_STATE, "started already");
    CHECK_STATUS(mp_manager_connect(m, MP_SEC(1)), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_serve_forever(m), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_join(m, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    CHECK(address[0] == '@');
    CHECK_STATUS(mp_manager_address(m, address, 2, NULL), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_manager_pid(m, &pid));
    p = object_new(m, "dict");
    /* Another manager of the same process goes there, too. */
    o.address = address;
    CHECK_OK(mp_manager_new(&other, &o));
    CHECK_STATUS(mp_manager_start(other), MP_ERR_EXISTS);
    CHECK_OK(mp_manager_connect(other, MP_FOREVER));
    CHECK_INT(objects(other), 1);
    CHECK_STATUS(mp_manager_shutdown(other), MP_ERR_STATE);
    CHECK_STATUS(mp_manager_join(other, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_manager_free(other));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(process_gone(pid));
    CHECK_OK(mp_manager_join(m, MP_NO_WAIT));
    CHECK_SENTENCE(mp_manager_start(m), MP_ERR_STATE, "shut down");
    CHECK_STATUS(mp_manager_create(m, &p, "dict", NULL, 0), MP_ERR_STATE);
    CHECK_STATUS(mp_proxy_set(p, INT(1), INT(2)), MP_ERR_EOF);
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
    CHECK_OK(mp_manager_free(NULL));
}

TEST(manager, nesting)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *l = object_new(m, "list"), *again;
    mp_answer *a;
    mp_item item;

    CHECK_OK(mp_proxy_append(l, INT(7)));
    CHECK_OK(mp_proxy_set(d, TEXT("list"), mp_item_proxy(l)));
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 2);
    CHECK_OK(mp_proxy_get(d, TEXT("list"), &a));
    CHECK_OK(mp_answer_item(a, 0, &item));
    CHECK_INT(item.kind, MP_ITEM_PROXY);
    CHECK_STATUS(mp_answer_proxy(a, 1, &again), MP_ERR_INVALID);
    CHECK_STATUS(mp_answer_item(a, 1, &item), MP_ERR_INVALID);
    CHECK_OK(mp_answer_proxy(a, 0, &again));
    CHECK_OK(mp_answer_free(a));
    check_str(again, "[7]");
    CHECK_OK(mp_proxy_append(again, INT(8)));
    CHECK_OK(mp_proxy_del(d, TEXT("list")));
    check_str(again, "[7, 8]");
    CHECK_OK(mp_proxy_free(again));
    CHECK_INT(objects(m), 1);
    /* What it holds goes with it. */
    l = object_new(m, "list");
    CHECK_OK(mp_proxy_set(d, INT(1), mp_item_proxy(l)));
    CHECK_STATUS(mp_proxy_set(d, mp_item_proxy(l), INT(1)), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, debug_info)
{
    mp_manager *m = manager_new();
    mp_proxy *l = object_new(m, "list"), *d = object_new(m, "dict");
    mp_buffer *info;
    char text[256];
    size_t len;
    const char *data;

    CHECK_OK(mp_proxy_append(l, mp_item_proxy(d)));
    CHECK_OK(mp_manager_debug_info(m, &info));
    data = mp_buffer_data(info, &len);
    snprintf(text, sizeof text, "%.*s", (int)len, data);
    CHECK_CONTAINS(text, "2 objects, ");
    CHECK_CONTAINS(text, " 1 sessions, 0 waiting\n");
    CHECK_CONTAINS(text, "1: list, held 1 times\n");
    CHECK_CONTAINS(text, "2: dict, held 2 times");
    CHECK_OK(mp_buffer_free(info));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
}

/* The server does not outlive a proxy's call by a crash: every call says so. */
TEST(manager, server_killed)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *p;
    mp_answer *a;
    int pid;

    CHECK_OK(mp_proxy_set(d, INT(1), INT(2)));
    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK_OK(mp_manager_join(m, MP_FOREVER));
    CHECK_SENTENCE(mp_proxy_get(d, INT(1), &a), MP_ERR_EOF, "gone");
    CHECK_STATUS(mp_proxy_set(d, INT(1), INT(2)), MP_ERR_EOF);
    CHECK_STATUS(mp_manager_create(m, &p, "dict", NULL, 0), MP_ERR_EOF);
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK_OK(mp_manager_free(m));
}

static int holds_lock(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_proxy_acquire(mp_child_proxy(self, 0), MP_FOREVER));
    flag_set(mp_child_value(self, 1), 1);
    flag_wait(mp_child_value(self, 1), 2);
    return 0;
}

/* A lock whose holder was killed goes to the next one, who is told; its proxies go, too. */
TEST(manager, holder_killed)
{
    mp_manager *m = manager_new();
    mp_proxy *l = object_new(m, "Lock");
    mp_value *flag = flag_new();
    mp_process *child = CHILD_START(holds_lock, l, flag);

    flag_wait(flag, 1);
    CHECK_STATUS(mp_proxy_acquire(l, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_proxy_acquire(l, MP_MS(30)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(mp_proxy_acquire(l, MP_FOREVER), MP_OWNER_DIED);
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK_OK(mp_proxy_release(l));
    CHECK_STATUS(mp_proxy_release(l), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_proxy_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_proxy_release(l));
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

static int uses_parents(void *p)
{
    mp_proxy *d = p;

    CHECK_OK(mp_proxy_set(d, TEXT("child"), INT(1)));
    CHECK_OK(mp_proxy_free(d));
    return 0;
}

/* A child that the program forks itself has sessions of its own. */
TEST(manager, plain_fork)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict");

    CHECK_INT(in_fork(uses_parents, d), 0);
    check_str(d, "{'child': 1}");
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}
