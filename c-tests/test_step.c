/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere and fail everywhere: locks, objects made and freed, processes. See step.h. */
#include "step.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- locks ---- */

static mp_lock *lock;
static pthread_t sleeper;

static bool is_locked(void)
{
    bool locked;

    CHECK_OK(mp_lock_locked(lock, &locked));
    return locked;
}

static void make_lock(void)
{
    lock = lock_new();
}

static void first_use(void)
{
    is_locked();
}

static void take(void)
{
    CHECK_OK(mp_lock_acquire(lock, MP_NO_WAIT));
}

static int acquire(void)
{
    return CHECK_CLEAN(mp_lock_acquire(lock, MP_SEC(20)));
}

static int acquire_briefly(void)
{
    return CHECK_CLEAN(mp_lock_acquire(lock, MP_MS(1)));
}

static int release(void)
{
    return CHECK_CLEAN(mp_lock_release(lock));
}

/* Whatever the victim did, it is dead. */
static void can_be_taken(outcome_of how)
{
    (void)how;
    CHECK_OK(mp_lock_acquire(lock, MP_SEC(20)));
    CHECK(is_locked());
    CHECK_OK(mp_lock_release(lock));
    CHECK(!is_locked());
    CHECK_STATUS(mp_lock_release(lock), MP_ERR_OVER_RELEASE);
    CHECK_OK(mp_lock_free(lock));
}

OPERATION(lock_acquire, make_lock, first_use, acquire, can_be_taken)

OPERATION(lock_release, make_lock, take, release, can_be_taken)

static int takes_and_dies(void *arg)
{
    (void)arg;
    take();
    return 0;
}

static void make_lock_of_a_corpse(void)
{
    make_lock();
    CHECK_INT(in_fork(takes_and_dies, NULL), 0);
    CHECK(is_locked());
}

OPERATION(lock_acquire_from_the_dead, make_lock_of_a_corpse, first_use, acquire, can_be_taken)

static void make_held_lock(void)
{
    make_lock();
    take();
}

static void is_still_held(outcome_of how)
{
    CHECK(how != DONE);
    CHECK(is_locked());
    CHECK_OK(mp_lock_release(lock));
    can_be_taken(how);
}

OPERATION_WITH(lock_acquire_in_vain, make_held_lock, first_use, acquire_briefly, is_still_held,
               .want = MP_ERR_TIMEOUT)

/* Takes the lock once somebody else has it. */
static void *sleeps(void *arg)
{
    while (!is_locked())
        usleep(100);
    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    CHECK_OK(mp_lock_release(lock));
    return arg;
}

static void make_lock_and_sleeper(void)
{
    make_lock();
    CHECK(pthread_create(&sleeper, NULL, sleeps, NULL) == 0);
}

static void take_and_let_it_sleep(void)
{
    take();
    sleep_ms(2);
}

static void sleeper_had_it(outcome_of how)
{
    CHECK(pthread_join(sleeper, NULL) == 0);
    can_be_taken(how);
}

OPERATION(lock_release_to_a_sleeper, make_lock_and_sleeper, take_and_let_it_sleep, release,
          sleeper_had_it)

/* ---- locks that one thread may take several times ---- */

static mp_rlock *rlock;

static void make_rlock(void)
{
    CHECK_OK(mp_rlock_new(&rlock, NULL));
}

static void take_and_give_rlock(void)
{
    CHECK_OK(mp_rlock_acquire(rlock, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(rlock));
}

static void take_rlock(void)
{
    CHECK_OK(mp_rlock_acquire(rlock, MP_NO_WAIT));
}

static int acquire_twice(void)
{
    int s = CHECK_CLEAN(mp_rlock_acquire(rlock, MP_SEC(20)));

    return s == MP_OK ? CHECK_CLEAN(mp_rlock_acquire(rlock, MP_NO_WAIT)) : s;
}

static int release_and_acquire(void)
{
    int s = CHECK_CLEAN(mp_rlock_release(rlock));

    return s == MP_OK ? acquire_twice() : s;
}

/* However often the dead one had it, it is free now, and counts from there. */
static void rlock_counts(outcome_of how)
{
    int i;

    (void)how;
    CHECK_OK(mp_rlock_acquire(rlock, MP_SEC(20)));
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_rlock_acquire(rlock, MP_NO_WAIT));
    for (i = 0; i < 4; i++)
        CHECK_OK(mp_rlock_release(rlock));
    CHECK_FAILS(mp_rlock_release(rlock));
    CHECK_OK(mp_rlock_free(rlock));
}

OPERATION(rlock_acquire_twice, make_rlock, take_and_give_rlock, acquire_twice, rlock_counts)
OPERATION(rlock_release, make_rlock, take_rlock, release_and_acquire, rlock_counts)

static int takes_rlock_twice_and_dies(void *arg)
{
    (void)arg;
    take_rlock();
    take_rlock();
    return 0;
}

static void make_rlock_of_a_corpse(void)
{
    make_rlock();
    CHECK_INT(in_fork(takes_rlock_twice_and_dies, NULL), 0);
}

static void look_at_rlock(void)
{
    bool recovered;

    CHECK_OK(mp_rlock_recovered(rlock, &recovered));
}

OPERATION(rlock_acquire_from_the_dead, make_rlock_of_a_corpse, look_at_rlock, acquire_twice,
          rlock_counts)

/* ---- objects ---- */

static mp_value *value;

static void settled(outcome_of how)
{
    (void)how;
}

static int make_and_free_all(void)
{
    mp_array *a = NULL;
    mp_value *v = NULL;
    mp_lock *l = NULL;
    mp_queue *q = NULL;
    int s;

    if ((s = CHECK_CLEAN(mp_lock_new(&l, NULL))) == MP_OK &&
        (s = CHECK_CLEAN(mp_value_new(&v, MP_INT64, NULL, NULL))) == MP_OK &&
        (s = CHECK_CLEAN(mp_array_new(&a, MP_UINT8, 100000, NULL, NULL))) == MP_OK &&
        (s = CHECK_CLEAN(mp_queue_new(&q, NULL))) == MP_OK)
        CHECK_OK(mp_array_set_int(a, 99999, 1));
    CHECK_OK(mp_queue_free(q));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_lock_free(l));
    return s;
}

static void warm_up(void)
{
    mp_value_free(flag_new());
}

OPERATION(objects_made_and_freed, nothing, warm_up, make_and_free_all, settled)

/* A process that the host forked uses libmp for the first time: it takes a slot, and its parent's handle over. */
static int use_inherited(void)
{
    return CHECK_CLEAN(mp_value_set_int(value, 5));
}

static void make_value(void)
{
    value = flag_new();
}

static void look_at_value(outcome_of how)
{
    int64_t x = flag_get(value);

    CHECK(how == DONE ? x == 5 : how == NOT_DONE ? x == 0 : x == 0 || x == 5);
    CHECK_OK(mp_value_free(value));
}

OPERATION(first_use_in_a_fork, make_value, NULL, use_inherited, look_at_value)

/* ---- what the dead had ---- */

static int makes_and_dies(void *arg)
{
    mp_array *a;
    mp_queue *q;
    int i;

    (void)arg;
    for (i = 0; i < 3; i++)
        lock_new();
    CHECK_OK(mp_array_new(&a, MP_UINT8, 100000, NULL, NULL));
    CHECK_OK(mp_queue_new(&q, NULL));
    CHECK_OK(mp_queue_put(q, "x", 1, MP_NO_WAIT));
    flag_get(value);
    return 0;
}

static void make_corpse(void)
{
    make_value();
    CHECK_INT(in_fork(makes_and_dies, NULL), 0);
}

static void touch_value(void)
{
    flag_get(value);
}

/* Whoever dies sweeping is swept himself, and what he was at is done by the next one. */
static int sweep(void)
{
    mp_stats stats = MP_STATS;

    return CHECK_CLEAN(mp_stats_get(&stats));
}

static void free_value(outcome_of how)
{
    (void)how;
    CHECK_OK(mp_value_free(value));
}

OPERATION_WITH(sweep_of_the_dead, make_corpse, touch_value, sweep, free_value, .moments = 100)

/* ---- processes ---- */

static int adds(mp_child *self, void *user)
{
    size_t len;

    (void)user;
    if (mp_child_bytes(self, 1, &len) == NULL || len != 100000 ||
        mp_value_set_int(mp_child_value(self, 0), 7) < 0)
        return 1;
    return 0;
}

static int start_one(void)
{
    static char bytes[100000];
    mp_process *p = NULL;
    int s, code = -1;

    if ((s = CHECK_CLEAN(mp_process_new(&p, adds, NULL, NULL))) == MP_OK &&
        (s = CHECK_CLEAN(mp_process_add_handle(p, value))) == MP_OK &&
        (s = CHECK_CLEAN(mp_process_add_bytes(p, bytes, sizeof bytes))) == MP_OK &&
        (s = CHECK_CLEAN(mp_process_start(p))) == MP_OK) {
        CHECK_OK(mp_process_join(p, MP_FOREVER));
        CHECK_OK(mp_process_exitcode(p, &code));
        CHECK_INT(code, 0);
    }
    CHECK_OK(mp_process_free(p));
    return s;
}

static void look_at_result(outcome_of how)
{
    int64_t x = flag_get(value);

    CHECK(how == DONE ? x == 7 : how == NOT_DONE ? x == 0 : x == 0 || x == 7);
    CHECK_OK(mp_value_free(value));
}

OPERATION_WITH(process_start, make_value, touch_value, start_one, look_at_result,
               .leaves_children = true, .moments = 80)

/* ---- pools ---- */

static void squares_one(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

static int map_some(void)
{
    int64_t in[8] = {0, 1, 2, 3, 4, 5, 6, 7}, out[8] = {0};
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_pool *pool = NULL;
    int s, i;

    o.workers = 2;
    if ((s = CHECK_CLEAN(mp_pool_new(&pool, &o))) == MP_OK &&
        (s = CHECK_CLEAN(mp_pool_map_array(pool, squares_one, NULL, in, sizeof *in, 8, out,
                                           sizeof *out, NULL))) == MP_OK)
        for (i = 0; i < 8; i++)
            CHECK_INT(out[i], i * i);
    CHECK_OK(mp_pool_free(pool));
    return s;
}

OPERATION_WITH(pool_map, nothing, warm_up, map_some, settled, .leaves_children = true,
               .moments = 340)
