/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Events, conditions, barriers, values and arrays under the hammer. */
#include "hammer.h"

#include <unistd.h>

/* ---- event ---- */

static mp_event *event;

static void make_event(void)
{
    CHECK_OK(mp_event_new(&event, NULL));
}

/* Half of them set it and clear it at once, and as long as they do, each wait ends. The last of them, and whoever
 * finds that all is over, leaves it set. */
static void event_round(int me)
{
    int64_t sets = b->rounds == INT64_MAX ? INT64_MAX : b->rounds * WORKERS / 2;

    if (me % 2 == 0) {
        CHECK_OK(mp_event_set(event));
        CHECK_OK(mp_event_clear(event));
        __atomic_fetch_add(&b->taken[me], 1, __ATOMIC_SEQ_CST);
        if (stopping() || sum(b->taken) >= sets)
            CHECK_OK(mp_event_set(event));
    } else if (sum(b->taken) < sets) {
        CHECK_OK(mp_event_wait(event, MP_SEC(60)));
    }
    b->count[me]++;
}

static void stop_event(void)
{
    CHECK_OK(mp_event_set(event));
}

static void check_event(int kills)
{
    (void)kills;
    CHECK_OK(mp_event_set(event));
    CHECK_OK(mp_event_wait(event, MP_NO_WAIT));
    CHECK_OK(mp_event_clear(event));
    CHECK_STATUS(mp_event_wait(event, MP_NO_WAIT), MP_ERR_TIMEOUT);
}

static void end_event(void)
{
    CHECK_OK(mp_event_free(event));
}

PRIMITIVE(event, .make = make_event, .round = event_round, .stop = stop_event, .check = check_event,
          .end = end_event)

/* ---- condition ---- */

enum { ROOM = 2 };

static mp_lock *lock;
static mp_condition *filled, *emptied;

static void make_condition(void)
{
    mp_condition_options o = MP_CONDITION_OPTIONS;

    lock = lock_new();
    o.lock = lock;
    CHECK_OK(mp_condition_new(&filled, &o));
    CHECK_OK(mp_condition_new(&emptied, &o));
}

static int64_t things(void)
{
    int64_t put = 0, taken = 0;
    int i;

    for (i = 0; i < WORKERS; i++)
        *(i % 2 == 0 ? &put : &taken) += b->count[i];
    return put - taken;
}

static void notify_all(void)
{
    CHECK_OK(mp_condition_notify_all(filled));
    CHECK_OK(mp_condition_notify_all(emptied));
}

/* The dead one may have counted and told nobody. */
static void told_of_a_death(void)
{
    bool told;

    CHECK_OK(mp_lock_recovered(lock, &told));
    if (!told)
        return;
    b->recoveries++;
    notify_all();
}

/* Half of them put, the others take. How many things there are follows from what each has counted. */
static void condition_round(int me)
{
    bool puts = me % 2 == 0;

    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    told_of_a_death();
    while (puts ? things() >= ROOM : things() <= 0) {
        if (stopping()) {
            CHECK_OK(mp_lock_release(lock));
            return;
        }
        CHECK_OK(mp_condition_wait(puts ? emptied : filled, MP_SEC(60)));
        told_of_a_death();
    }
    b->count[me]++;
    if (things() < 0 || things() > ROOM)
        violation("a thing was lost, or taken twice");
    CHECK_OK(mp_condition_notify(puts ? filled : emptied, 1));
    CHECK_OK(mp_lock_release(lock));
}

static void stop_condition(void)
{
    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    notify_all();
    CHECK_OK(mp_lock_release(lock));
}

/* Nobody is in it any more. */
static void check_condition(int kills)
{
    CHECK(things() >= 0 && things() <= ROOM);
    CHECK(kills > 0 || things() == 0);
    CHECK_OK(mp_lock_acquire(lock, MP_SEC(20)));
    notify_all();
    CHECK_STATUS(mp_condition_wait(filled, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_lock_release(lock));
}

static void end_condition(void)
{
    CHECK_OK(mp_condition_free(filled));
    CHECK_OK(mp_condition_free(emptied));
    CHECK_OK(mp_lock_free(lock));
}

PRIMITIVE(condition, .make = make_condition, .round = condition_round, .stop = stop_condition,
          .check = check_condition, .end = end_condition)

/* ---- barrier ---- */

static mp_barrier *barrier;

static void make_barrier(void)
{
    CHECK_OK(mp_barrier_new(&barrier, WORKERS, NULL));
}

/* b->first counts the resets; b->taken has the number, one higher, of the last after which this one has passed. */
static void barrier_round(int me)
{
    int64_t resets = b->first;
    size_t index;
    int s = mp_barrier_wait(barrier, MP_SEC(60), &index);

    if (s == MP_OK) {
        CHECK(index < WORKERS);
        __atomic_fetch_add(&b->index[index], 1, __ATOMIC_SEQ_CST);
        b->taken[me] = resets + 1;
        b->count[me]++;
    } else {
        CHECK_INT(s, MP_ERR_BROKEN_BARRIER);
        usleep(50);
    }
}

static void mend_barrier(void)
{
    bool broken;

    CHECK_OK(mp_barrier_broken(barrier, &broken));
    if (broken) {
        CHECK_OK(mp_barrier_reset(barrier));
        b->first++;
    }
}

static bool is_broken(void *nothing)
{
    bool broken;

    (void)nothing;
    CHECK_OK(mp_barrier_broken(barrier, &broken));
    return broken;
}

/* It had taken part, so the others find out that it is missing. That takes a moment; so not each time. */
static void killed_party(int victim)
{
    if (b->taken[victim] == b->first + 1 && b->recoveries++ % 8 == 0)
        CHECK(wait_until(is_broken, NULL));
}

static void stop_barrier(void)
{
    CHECK_OK(mp_barrier_abort(barrier));
}

/* In each cycle there was one of each number, but for those that were killed before they had counted. */
static void check_barrier(int kills)
{
    size_t waiting;
    int i;

    for (i = 0; i < WORKERS; i++)
        CHECK(b->index[i] >= b->index[0] - kills && b->index[i] <= b->index[0] + kills);
    CHECK_OK(mp_barrier_reset(barrier));
    CHECK_OK(mp_barrier_waiting(barrier, &waiting));
    CHECK_INT(waiting, 0);
}

static void end_barrier(void)
{
    CHECK_OK(mp_barrier_free(barrier));
}

PRIMITIVE(barrier, .make = make_barrier, .round = barrier_round, .stop = stop_barrier,
          .check = check_barrier, .end = end_barrier, .mend = mend_barrier,
          .killed = killed_party)

/* ---- value ---- */

static mp_value *value;

static void make_value(void)
{
    value = flag_new();
}

static void value_round(int me)
{
    int64_t before, mine = b->count[me];

    CHECK_OK(mp_value_fetch_add(value, 1, &before));
    if (before < mine)
        violation("an addition was lost");
    b->count[me] = mine + 1;
}

/* Each of the killed may have added and not counted. */
static void check_value(int kills)
{
    int64_t more = flag_get(value) - sum(b->count);

    CHECK(more >= 0 && more <= kills);
}

static void end_value(void)
{
    CHECK_OK(mp_value_free(value));
}

PRIMITIVE(value, .make = make_value, .round = value_round, .check = check_value, .end = end_value)

/* ---- array ---- */

enum { ITEMS = 200 };

static mp_array *array;

static void make_array(void)
{
    CHECK_OK(mp_array_new(&array, MP_INT64, ITEMS, NULL, NULL));
}

/* With the lock: all items are one number, unless a death explains why some are one less. */
static int64_t number_of_items(bool *told)
{
    int64_t items[ITEMS], most = 0;
    int i;

    CHECK_OK(mp_array_recovered(array, told));
    CHECK_OK(mp_array_read(array, 0, ITEMS, items, sizeof items));
    for (i = 0; i < ITEMS; i++)
        if (items[i] > most)
            most = items[i];
    for (i = 0; i < ITEMS; i++)
        if (items[i] != most && (!*told || items[i] != most - 1))
            violation("torn without a death");
    return most;
}

static void array_round(int me)
{
    int64_t items[ITEMS], number;
    bool told;
    int i;

    CHECK_OK(mp_array_acquire(array, MP_FOREVER));
    number = number_of_items(&told) + 1;
    if (told)
        b->recoveries++;
    for (i = 0; i < ITEMS; i++)
        items[i] = number;
    CHECK_OK(mp_array_write(array, 0, ITEMS, items, sizeof items));
    b->count[me]++;
    CHECK_OK(mp_array_release(array));
}

/* Each of the killed may have written and not counted. */
static void check_array(int kills)
{
    int64_t more;
    bool told;

    CHECK_OK(mp_array_acquire(array, MP_FOREVER));
    more = number_of_items(&told) - sum(b->count);
    CHECK(more >= 0 && more <= kills);
    CHECK(!told || kills > 0);
    CHECK_INT(b->violations, 0);
    CHECK_OK(mp_array_release(array));
}

static void end_array(void)
{
    CHECK_OK(mp_array_free(array));
}

PRIMITIVE(array, .make = make_array, .round = array_round, .check = check_array, .end = end_array)
