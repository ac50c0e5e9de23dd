/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Who waits for a key of a managed dict to change. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* Watches once; the answer must be this one. Gives the new version. */
static int64_t watch(const mp_proxy *d, mp_item key, int64_t version, const char *want)
{
    mp_answer *a;

    CHECK_OK(mp_proxy_watch(d, key, &version, &a, MP_FOREVER));
    CHECK_CONTAINS(answer_text(a), want);
    CHECK_INT(strlen(answer_text(a)), strlen(want));
    CHECK_OK(mp_answer_free(a));
    return version;
}

/* Nothing has changed. */
static void check_same(const mp_proxy *d, mp_item key, int64_t version)
{
    int64_t before = version;
    mp_answer *a;

    CHECK_STATUS(mp_proxy_watch(d, key, &version, &a, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_proxy_watch(d, key, &version, &a, MP_MS(20)), MP_ERR_TIMEOUT);
    CHECK_INT(version, before);
}

TEST(manager, watch)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *l = object_new(m, "list");
    mp_item put[] = {TEXT("k"), INT(9)}, key = TEXT("k");
    mp_proxy_step steps[2];
    int64_t version = 0;
    mp_answer *a;

    version = watch(d, key, 0, "");
    check_same(d, key, version);
    CHECK_OK(mp_proxy_set(d, TEXT("other"), INT(1)));
    check_same(d, key, version);
    /* It was there and is not any more: that is a change. */
    memset(steps, 0, sizeof steps);
    steps[0].proxy = steps[1].proxy = d;
    steps[0].method = "set";
    steps[0].items = put;
    steps[0].count = 2;
    steps[1].method = "del";
    steps[1].items = &key;
    steps[1].count = 1;
    CHECK_OK(mp_proxy_batch(steps, 2, NULL));
    version = watch(d, key, version, "");
    check_same(d, key, version);
    /* Everything that writes or removes counts, and what does not does not. */
    CHECK_OK(mp_proxy_set(d, key, INT(1)));
    version = watch(d, key, version, "1");
    CHECK_OK(mp_proxy_set(d, key, INT(1)));
    version = watch(d, key, version, "1");
    CHECK_OK(mp_proxy_fetch_add(d, key, 4, NULL));
    version = watch(d, key, version, "5");
    CHECK_CALL(d, "true", "compare_and_set", key, INT(5), TEXT("x"));
    version = watch(d, key, version, "'x'");
    CHECK_CALL(d, "'x'", "setdefault", key, INT(1));
    CHECK_CALL(d, "false 'x'", "compare_and_set", key, INT(5), TEXT("y"));
    CHECK_OK(mp_proxy_del(d, TEXT("other")));
    check_same(d, key, version);
    CHECK_CALL(d, "'x'", "pop", key);
    version = watch(d, key, version, "");
    CHECK_CALL(d, "7", "setdefault", key, INT(7));
    version = watch(d, key, version, "7");
    CHECK_CALL0(d, "", "clear");
    version = watch(d, key, version, "");
    CHECK_CALL(d, "", "update", key, mp_item_proxy(l));
    version = watch(d, key, version, "object");
    CHECK_CALL0(d, "'k' object", "popitem");
    watch(d, key, version, "");

    CHECK_STATUS(mp_proxy_watch(d, mp_item_proxy(l), &version, &a, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_watch(l, key, &version, &a, MP_NO_WAIT), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_proxy_watch(d, key, NULL, &a, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_watch(d, key, &version, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

struct watcher {
    mp_proxy *dict;
    int64_t key;
    pthread_t thread;
};

static void *watches(void *user)
{
    struct watcher *w = user;
    int64_t version = 0;
    int i;

    for (i = 0; i < 2; i++) {
        mp_answer *a;

        CHECK_OK(mp_proxy_watch(w->dict, INT(w->key), &version, &a, MP_FOREVER));
        CHECK_INT(mp_answer_count(a), 1);
        CHECK_INT(mp_answer_int(a, 0), i);
        CHECK_OK(mp_answer_free(a));
    }
    return NULL;
}

/* Each waits for its own key, whoever came first. */
TEST(manager, watchers)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict");
    struct watcher all[6];
    size_t i;

    for (i = 0; i < COUNT(all); i++) {
        all[i].dict = d;
        all[i].key = (int64_t)i / 2; /* two for each */
        CHECK_OK(mp_proxy_set(d, INT(all[i].key), INT(0)));
    }
    for (i = 0; i < COUNT(all); i++)
        CHECK(pthread_create(&all[i].thread, NULL, watches, &all[i]) == 0);
    wait_for_waiting(m, COUNT(all));
    for (i = COUNT(all); i > 0; i -= 2) {
        CHECK_OK(mp_proxy_set(d, INT(all[i - 1].key), INT(1)));
        CHECK(pthread_join(all[i - 1].thread, NULL) == 0);
        CHECK(pthread_join(all[i - 2].thread, NULL) == 0);
        wait_for_waiting(m, i - 2);
    }
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

static int watches_for_ever(mp_child *self, void *user)
{
    int64_t version = 0;
    mp_answer *a;

    CHECK(user == NULL);
    while (mp_proxy_watch(mp_child_proxy(self, 0), INT(1), &version, &a, MP_FOREVER) == MP_OK)
        CHECK_OK(mp_answer_free(a));
    return 0;
}

/* Nobody waits for one who was killed. */
TEST(manager, watcher_killed)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict");
    mp_process *child = CHILD_START(watches_for_ever, d);

    wait_for_waiting(m, 1);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(child_end(child), -SIGKILL);
    wait_for_waiting(m, 0);
    CHECK_OK(mp_proxy_set(d, INT(1), INT(1)));
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}
