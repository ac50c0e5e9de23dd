/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere, for what pools do beside map. */
#include "step.h"

#include <string.h>

static void settled(outcome_of how)
{
    mp_stats s = stats_now();

    (void)how;
    CHECK(s.processes >= 1);
}

static void warm_up(void)
{
    mp_lock *l = lock_new();

    CHECK_OK(mp_lock_free(l));
}

static void squares_one(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

static void checks_its_bytes(mp_task *task, void *user)
{
    size_t len;

    (void)user;
    if (memcmp(mp_task_input(task, &len), "ready", 5) != 0 || len != 5)
        mp_task_fail(task, "other bytes");
}

static int new_pool(mp_pool **pool)
{
    mp_pool_options o = MP_POOL_OPTIONS;

    o.workers = 2;
    o.initializer = checks_its_bytes;
    o.initializer_data = "ready";
    o.initializer_len = 5;
    o.name = "stepper";
    return CHECK_CLEAN(mp_pool_new(pool, &o));
}

static void is_number(mp_buffer *buffer, int64_t want)
{
    int64_t got;

    memcpy(&got, mp_buffer_data(buffer, NULL), sizeof got);
    CHECK_INT(got, want);
    CHECK_OK(mp_buffer_free(buffer));
}

static int counts_to_3(mp_bytes *item, void *user)
{
    int64_t *x = user;

    if (*x == 3)
        return 0;
    ++*x;
    item->data = x;
    item->len = sizeof *x;
    return 1;
}

static int imap_some(void)
{
    mp_imap_options o = MP_IMAP_OPTIONS;
    mp_buffer *result;
    mp_imap *imap = NULL;
    mp_pool *pool = NULL;
    int64_t x = 0;
    size_t index = 0;
    int s, i;

    o.window = 2;
    if ((s = new_pool(&pool)) == MP_OK &&
        (s = CHECK_CLEAN(mp_pool_imap(pool, squares_one, NULL, counts_to_3, &x, &o, &imap))) == MP_OK) {
        for (i = 0; i < 3; i++) {
            if ((s = CHECK_CLEAN(mp_imap_next(imap, MP_FOREVER, &result, &index))) != MP_OK)
                break;
            CHECK_INT(index, i);
            is_number(result, (i + 1) * (i + 1));
        }
    }
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
    return s;
}

OPERATION_WITH(pool_imap, nothing, warm_up, imap_some, settled, .leaves_children = true,
               .moments = 250)

static int apply_and_close(void)
{
    mp_buffer *result;
    mp_pool *pool = NULL;
    int64_t x = 7;
    int s;

    if ((s = new_pool(&pool)) == MP_OK &&
        (s = CHECK_CLEAN(mp_pool_apply(pool, squares_one, NULL, &x, sizeof x, &result, NULL))) == MP_OK) {
        is_number(result, 49);
        CHECK_OK(mp_pool_close(pool));
        s = CHECK_CLEAN(mp_pool_join(pool, MP_FOREVER));
    }
    CHECK_OK(mp_pool_free(pool));
    return s;
}

OPERATION_WITH(pool_apply, nothing, warm_up, apply_and_close, settled, .leaves_children = true,
               .moments = 250)
