/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a Lock and an RLock say of themselves, to whoever asks. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct about {
    const mp_lock *l;
    const mp_rlock *r;
    const char *lock, *rlock;
} about;

static mp_status describe(const about *a, bool rlock, char *text, size_t size, size_t *needed)
{
    return rlock ? mp_rlock_describe(a->r, text, size, needed)
                 : mp_lock_describe(a->l, text, size, needed);
}

static int described(void *arg)
{
    const about *a = arg;
    int rlock;

    for (rlock = 0; rlock < 2; rlock++) {
        const char *want = rlock ? a->rlock : a->lock;
        size_t needed = 0, room = strlen(want) + 1;
        char text[80];

        CHECK_OK(describe(a, rlock, text, sizeof text, &needed));
        CHECK_CONTAINS(text, want);
        CHECK_INT(strlen(text), room - 1);
        CHECK_INT(needed, room);
        memset(text, 'x', sizeof text);
        needed = 0;
        CHECK_STATUS(describe(a, rlock, text, room - 1, &needed), MP_ERR_TOO_SMALL);
        CHECK_INT(needed, room);
        CHECK(text[0] == 'x' && text[room - 1] == 'x');
        CHECK_OK(describe(a, rlock, text, room, NULL));
        CHECK(strcmp(text, want) == 0 && text[room] == 'x');
        CHECK_STATUS(describe(a, rlock, NULL, 0, &needed), MP_ERR_TOO_SMALL);
        CHECK_STATUS(describe(a, rlock, NULL, 8, NULL), MP_ERR_INVALID);
    }
    return 0;
}

static void *described_to_a_thread(void *arg)
{
    described(arg);
    return NULL;
}

static int die_with_both(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 0), MP_FOREVER));
    CHECK_OK(mp_rlock_acquire(mp_child_rlock(self, 1), MP_FOREVER));
    raise(SIGKILL);
    return 0;
}

static int describes_its_own(mp_child *self, void *user)
{
    char lock[80], rlock[80];
    about a = {mp_child_lock(self, 0), mp_child_rlock(self, 1), lock, rlock};
    about renamed = {a.l, a.r, "<Lock(owner=scribe the second)>", "<RLock(scribe the second, 1)>"};
    about other = {a.l, a.r, "<Lock(owner=SomeOtherProcess)>", "<RLock(SomeOtherProcess, nonzero)>"};

    CHECK(user == NULL);
    snprintf(lock, sizeof lock, "<Lock(owner=%s)>", mp_process_name(mp_current_process()));
    snprintf(rlock, sizeof rlock, "<RLock(%s, 1)>", mp_process_name(mp_current_process()));
    CHECK_CONTAINS(lock, "Process-");
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 0), MP_FOREVER));
    CHECK_OK(mp_rlock_acquire(mp_child_rlock(self, 1), MP_FOREVER));
    described(&a);
    CHECK_INT(in_fork(described, &other), 0);
    CHECK_OK(mp_process_set_name(mp_current_process(), "scribe the second"));
    described(&renamed);
    CHECK_OK(mp_rlock_release(mp_child_rlock(self, 1)));
    CHECK_OK(mp_lock_release(mp_child_lock(self, 0)));
    return 0;
}

TEST(lock, describe)
{
    static const about texts[] = {
        {NULL, NULL, "<Lock(owner=None)>", "<RLock(None, 0)>"},
        {NULL, NULL, "<Lock(owner=MainProcess)>", "<RLock(MainProcess, 1)>"},
        {NULL, NULL, "<Lock(owner=MainProcess)>", "<RLock(MainProcess, 2)>"},
        {NULL, NULL, "<Lock(owner=MainProcess)>", "<RLock(SomeOtherThread, nonzero)>"},
        {NULL, NULL, "<Lock(owner=SomeOtherProcess)>", "<RLock(SomeOtherProcess, nonzero)>"},
    };
    mp_lock *l = lock_new();
    about now[COUNT(texts)];
    pthread_t thread;
    mp_rlock *r;
    size_t i;

    CHECK_OK(mp_rlock_new(&r, NULL));
    for (i = 0; i < COUNT(texts); i++) {
        now[i] = texts[i];
        now[i].l = l;
        now[i].r = r;
    }
    described(&now[0]);
    CHECK_INT(in_fork(described, &now[0]), 0);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    described(&now[1]);
    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    described(&now[2]);
    CHECK_INT(pthread_create(&thread, NULL, described_to_a_thread, &now[3]), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(in_fork(described, &now[4]), 0);
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_lock_release(l));
    CHECK_INT(child_end(CHILD_START(describes_its_own, l, r)), 0);
    described(&now[0]);

    /* The dead hold until somebody takes over, who has an RLock once. */
    CHECK_INT(child_end(CHILD_START(die_with_both, l, r)), -SIGKILL);
    described(&now[4]);
    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    described(&now[1]);
    CHECK_OK(mp_rlock_release(r));
    CHECK_OK(mp_lock_release(l));
    described(&now[0]);
    CHECK_OK(mp_rlock_free(r));
    CHECK_OK(mp_lock_free(l));
}
