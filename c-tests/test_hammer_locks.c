/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Locks and semaphores under the hammer. */
#include "hammer.h"

/* ---- what whoever holds a lock does ---- */

/* A count, mine, and another count: who was not told of a death finds all three as they should be. */
static void count_guarded(int me, bool told)
{
    int64_t total = sum(b->count);

    if (told) {
        if (b->first < total || b->first > total + 1 || b->second > total || b->second < total - 1)
            violation("a death explains less than this");
        b->first = b->second = total;
        b->recoveries++;
    } else if (b->holder != 0 || b->first != total || b->second != total) {
        violation("torn without a death");
    }
    b->holder = me + 1;
    b->first++;
    b->count[me]++;
    if (b->holder != me + 1)
        violation("two holders");
    b->second++;
    b->holder = 0;
}

/* The last who died may have left it in the middle. */
static void check_guarded(bool told)
{
    int64_t total = sum(b->count);

    CHECK(told || (b->first == total && b->second == total && b->holder == 0));
}

/* ---- lock ---- */

static mp_lock *lock;

static void make_lock(void)
{
    lock = lock_new();
}

static void lock_round(int me)
{
    bool told;

    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    CHECK_OK(mp_lock_recovered(lock, &told));
    count_guarded(me, told);
    CHECK_OK(mp_lock_release(lock));
}

static void check_lock(int kills)
{
    bool told;

    CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
    CHECK_OK(mp_lock_recovered(lock, &told));
    CHECK(!told || kills > 0);
    check_guarded(told);
    CHECK_OK(mp_lock_release(lock));
}

static void end_lock(void)
{
    CHECK_OK(mp_lock_free(lock));
}

PRIMITIVE(lock, .make = make_lock, .round = lock_round, .check = check_lock, .end = end_lock)

/* Some want it for a moment only, or at once. */
static void impatient_round(int me)
{
    bool told;

    for (;;) {
        int s = mp_lock_acquire(lock, me % 4 == 0 ? MP_NO_WAIT : me % 4 == 1 ? 20000 : MP_FOREVER);

        if (s == MP_OK)
            break;
        CHECK_INT(s, MP_ERR_TIMEOUT);
        if (stopping())
            return;
    }
    CHECK_OK(mp_lock_recovered(lock, &told));
    count_guarded(me, told);
    CHECK_OK(mp_lock_release(lock));
}

PRIMITIVE(lock_in_time, .make = make_lock, .round = impatient_round, .check = check_lock,
          .end = end_lock)

/* ---- rlock ---- */

static mp_rlock *rlock;

static void make_rlock(void)
{
    CHECK_OK(mp_rlock_new(&rlock, NULL));
}

static void rlock_round(int me)
{
    bool told;
    int i;

    for (i = 0; i < 3; i++)
        CHECK_OK(mp_rlock_acquire(rlock, MP_FOREVER));
    CHECK_OK(mp_rlock_recovered(rlock, &told));
    count_guarded(me, told);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_rlock_release(rlock));
    CHECK(mp_rlock_release(rlock) == MP_ERR_NOT_OWNER);
}

static void check_rlock(int kills)
{
    bool told;

    CHECK_OK(mp_rlock_acquire(rlock, MP_FOREVER));
    CHECK_OK(mp_rlock_recovered(rlock, &told));
    CHECK(!told || kills > 0);
    check_guarded(told);
    CHECK_OK(mp_rlock_release(rlock));
    CHECK_STATUS(mp_rlock_release(rlock), MP_ERR_NOT_OWNER);
}

static void end_rlock(void)
{
    CHECK_OK(mp_rlock_free(rlock));
}

PRIMITIVE(rlock, .make = make_rlock, .round = rlock_round, .check = check_rlock, .end = end_rlock)

/* ---- semaphore ---- */

enum { SLOTS = 3 };

static mp_semaphore *semaphore;

static void make_semaphore(void)
{
    mp_semaphore_options o = MP_SEMAPHORE_OPTIONS;

    o.give_back = true;
    CHECK_OK(mp_semaphore_new(&semaphore, SLOTS, &o));
}

static void semaphore_round(int me)
{
    uint32_t now;
    int in = 0, i;

    CHECK_OK(mp_semaphore_acquire(semaphore, MP_FOREVER));
    now = __atomic_or_fetch(&b->inside, UINT32_C(1) << me, __ATOMIC_SEQ_CST);
    for (i = 0; i < WORKERS; i++)
        in += (now >> i & 1) != 0 && (now >> (16 + i) & 1) == 0;
    if (in > SLOTS)
        violation("more are in than there are slots");
    b->count[me]++;
    __atomic_fetch_and(&b->inside, ~(UINT32_C(1) << me), __ATOMIC_SEQ_CST);
    CHECK_OK(mp_semaphore_release(semaphore, 1));
}

/* Whatever the dead had is there again, and no more. */
static void check_semaphore(int kills)
{
    int i;

    (void)kills;
    for (i = 0; i < SLOTS; i++)
        CHECK_OK(mp_semaphore_acquire(semaphore, MP_SEC(20)));
    CHECK_STATUS(mp_semaphore_acquire(semaphore, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_semaphore_release(semaphore, SLOTS));
}

static void end_semaphore(void)
{
    CHECK_OK(mp_semaphore_free(semaphore));
}

PRIMITIVE(semaphore, .make = make_semaphore, .round = semaphore_round, .check = check_semaphore,
          .end = end_semaphore)
