/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Options of pools and their calls: sizes, and macros beside functions. */
#include "test_pool.h"

#include <string.h>

static int ends(mp_bytes *item, void *user)
{
    (void)item;
    (void)user;
    return 0;
}

TEST(floor, options_of_pool_calls_of_a_wrong_size)
{
    static const size_t sizes[] = {0, 1, 7, SIZE_MAX};
    mp_pool *pool = pool_new(1);
    size_t i;

    for (i = 0; i < COUNT(sizes); i++) {
        mp_apply_options apply = MP_APPLY_OPTIONS;
        mp_imap_options each = MP_IMAP_OPTIONS;
        mp_imap *imap;

        apply.size = each.size = sizes[i];
        CHECK_STATUS(mp_pool_apply(pool, square, NULL, NULL, 0, NULL, &apply), MP_ERR_INVALID);
        CHECK_STATUS(mp_pool_imap(pool, square, NULL, ends, NULL, &each, &imap), MP_ERR_INVALID);
    }
    CHECK_OK(mp_pool_free(pool));
}

TEST(floor, macros_of_pools_are_functions_too)
{
    mp_pool_options pool = MP_POOL_OPTIONS, pool2;
    mp_map_options map = MP_MAP_OPTIONS, map2;
    mp_apply_options apply = MP_APPLY_OPTIONS, apply2;
    mp_imap_options imap = MP_IMAP_OPTIONS, imap2;

    memset(&pool2, 0xAA, sizeof pool2);
    memset(&map2, 0xAA, sizeof map2);
    memset(&apply2, 0xAA, sizeof apply2);
    memset(&imap2, 0xAA, sizeof imap2);
    CHECK_OK(mp_pool_options_init(&pool2, sizeof pool2));
    CHECK_OK(mp_map_options_init(&map2, sizeof map2));
    CHECK_OK(mp_apply_options_init(&apply2, sizeof apply2));
    CHECK_OK(mp_imap_options_init(&imap2, sizeof imap2));
    CHECK(pool2.size == sizeof pool && pool2.workers == pool.workers);
    CHECK(pool2.start_method == pool.start_method && pool2.context == pool.context);
    CHECK(pool2.initializer == pool.initializer && pool2.initializer_user == pool.initializer_user);
    CHECK(pool2.initializer_data == pool.initializer_data);
    CHECK(pool2.initializer_len == pool.initializer_len && pool2.max_tasks == pool.max_tasks);
    CHECK(pool2.max_memory == pool.max_memory && pool2.name == pool.name);
    CHECK(pool2.watch == pool.watch && pool2.trace == pool.trace);
    CHECK(pool2.cpus == pool.cpus && pool2.cpu_count == pool.cpu_count);
    CHECK(pool2.tag_stderr == pool.tag_stderr);
    CHECK(map2.size == sizeof map && map2.chunk == map.chunk && map2.timeout == map.timeout);
    CHECK(map2.run_all == map.run_all && map2.progress == map.progress);
    CHECK(map2.progress_user == map.progress_user && map2.retries == map.retries);
    CHECK(map2.time_limit == map.time_limit && map2.grace == map.grace);
    CHECK(map2.statuses == map.statuses);
    CHECK(apply2.size == sizeof apply && apply2.timeout == apply.timeout);
    CHECK(apply2.retries == apply.retries && apply2.time_limit == apply.time_limit);
    CHECK(apply2.grace == apply.grace);
    CHECK(imap2.size == sizeof imap && imap2.chunk == imap.chunk && imap2.window == imap.window);
    CHECK(imap2.unordered == imap.unordered && imap2.retries == imap.retries);
    CHECK(imap2.time_limit == imap.time_limit && imap2.grace == imap.grace);
    CHECK_STATUS(mp_apply_options_init(NULL, sizeof(mp_apply_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_imap_options_init(NULL, sizeof(mp_imap_options)), MP_ERR_INVALID);
}
