/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values of every size: few bytes, those that are copied, and those that stay where they came. */
#include "test_manager.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_METHOD = 2, LARGEST = (3 << 20) + 5 };

/* Around what fits into a value, what a buffer begins with, from where bytes are not copied, and
 * what is allocated on a length's word alone. */
static const size_t sizes[] = {0,     1,     22,    23,    4096,    16383,
                               16384, 16385, 65536, 65537, 1048576, LARGEST};

/* Different bytes for each seed; valid until the next call. */
static const unsigned char *pattern(size_t size, size_t seed)
{
    static unsigned char bytes[LARGEST];
    size_t i;

    for (i = 0; i < size; i++)
        bytes[i] = (unsigned char)((i * 7 + i / 251 + seed) & 0xff);
    return bytes;
}

static void check_item(const mp_answer *a, size_t index, size_t size, size_t seed)
{
    mp_item item;

    CHECK_OK(mp_answer_item(a, index, &item));
    CHECK_INT(item.kind, MP_ITEM_BYTES);
    CHECK_INT(item.data_size, size);
    CHECK(memcmp(item.data, pattern(size, seed), size) == 0);
}

TEST(manager, values_of_every_size_come_whole)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *l = object_new(m, "list");
    mp_answer *a;
    size_t i;

    for (i = 0; i < COUNT(sizes); i++) {
        mp_item value = mp_item_bytes(pattern(sizes[i], i), sizes[i]);
        const mp_item three[] = {value, INT(7), value};

        CHECK_OK(mp_proxy_set(d, INT((int64_t)i), value));
        /* Several in one message, which keep nothing of it. */
        CHECK_OK(mp_proxy_call(l, "extend", three, COUNT(three), NULL, MP_NO_WAIT));
    }
    /* All again, after the messages that brought them have gone; then those that lie side by side. */
    for (i = 0; i < COUNT(sizes); i++) {
        CHECK_OK(mp_proxy_get(d, INT((int64_t)i), &a));
        check_item(a, 0, sizes[i], i);
        mp_answer_free(a);
    }
    CHECK_OK(mp_proxy_call(d, "values", NULL, 0, &a, MP_NO_WAIT));
    for (i = 0; i < COUNT(sizes); i++)
        check_item(a, i, sizes[i], i);
    mp_answer_free(a);
    for (i = 0; i < COUNT(sizes); i++) {
        CHECK_OK(mp_proxy_get(l, INT((int64_t)(3 * i + 2)), &a));
        check_item(a, 0, sizes[i], i);
        mp_answer_free(a);
    }
    mp_proxy_free(l);
    mp_proxy_free(d);
    CHECK_OK(mp_manager_free(m));
}

/* An answer that its client has not read is what was there when it asked. */
TEST(manager, an_answer_on_its_way_stays_as_it_is)
{
    static const unsigned char key[] = {1, 0, 0, 0, 4, 1, 0, 0, 0, 'k'};
    static unsigned char bytes[LARGEST + 64];
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict");
    mp_connection *c;
    size_t len;

    CHECK_OK(mp_proxy_set(d, TEXT("k"), mp_item_bytes(pattern(LARGEST, 1), LARGEST)));
    c = raw_session(m, 1);
    raw_say(c, CALL_METHOD, 1, "get", key, sizeof key);
    CHECK(mp_connection_poll(c, MP_FOREVER) == MP_OK);
    CHECK_OK(mp_proxy_set(d, TEXT("k"), mp_item_bytes(pattern(LARGEST, 2), LARGEST)));
    CHECK_OK(mp_proxy_del(d, TEXT("k")));
    CHECK_OK(mp_connection_recv(c, bytes, sizeof bytes, &len, MP_FOREVER));
    CHECK_INT(len, 13 + LARGEST);
    CHECK(memcmp(bytes + 13, pattern(LARGEST, 1), LARGEST) == 0);
    mp_connection_free(c);
    mp_proxy_free(d);
    CHECK_OK(mp_manager_free(m));
}
