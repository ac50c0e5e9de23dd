/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Kill everywhere, fail everywhere. An OPERATION is what a process does to shared objects; it gives two tests:
 *
 * kill.NAME: a forked victim does it under ptrace, instruction by instruction. It is killed after
 * each one that changed the shared segment, and on both sides of each system call, a fresh victim
 * each time. The survivor then must find the state before or the state after, and go on.
 * fail.NAME: a victim does it with its k-th system call failing, for every k and several errors.
 * Either all is done or a status says why not and nothing is.
 *
 * MP_KILL=all kills at every such moment, MP_KILL=every after every single instruction; otherwise
 * it is some of the moments. MP_FAIL=all tries every error at every call. Give these forms time:
 *     MP_KILL=all MP_FAIL=all build/c-tests/run --filter kill. --filter fail. --timeout-scale 100 */
#ifndef STEP_H
#define STEP_H

#include "test_util.h"

/* How far a victim came. */
typedef enum outcome_of {
    NOT_DONE, /* its call failed: nothing may have happened */
    PERHAPS,  /* it was killed: the state before or the state after */
    DONE      /* its call returned MP_OK */
} outcome_of;

typedef struct operation {
    /* In the survivor, before each victim: makes the objects. */
    void (*set_up)(void);
    /* In the victim, at full speed; may be NULL. */
    void (*prepare)(void);
    /* In the victim: what is attacked; gives its status. */
    int (*act)(void);
    /* In the survivor, with the victim dead: looks, uses the objects, and frees them. */
    void (*check)(outcome_of how);
    /* The status when nothing goes wrong, MP_OK if not set. */
    int want;
    /* Of a meeting: what another thread of the victim does. */
    void (*other)(void);
    /* In the victim of a meeting or a failure, at full speed: what it finds then. */
    void (*after)(void);
    /* Of a failure: an error that says of its calls what cannot be. */
    int impossible;
    /* The victim's children end by themselves, a moment after it. */
    bool leaves_children;
    /* About how many moments there are, where the way through all of them is long: then the short
     * form takes two of them by chance. */
    long moments;
    /* Of a meeting: how long the stopped thread waits for the other one, in milliseconds. */
    long patience;
} operation;

/* For where nothing is to be done. */
static inline void nothing(void)
{
}

void kill_everywhere(const operation *op);
void meet_everywhere(const operation *op);
void fail_everywhere(const operation *op);

#define OPERATION(name, set_up, prepare, act, check)                                               \
    OPERATION_WITH(name, set_up, prepare, act, check, .want = MP_OK)
/* With more members of the operation behind. */
#define OPERATION_WITH(name_, set_up_, prepare_, act_, check_, ...)                                \
    static const operation name_##_operation = {                                                   \
        .set_up = set_up_, .prepare = prepare_, .act = act_, .check = check_, __VA_ARGS__};        \
    TEST_DEFINE(kill, name_, 120, true)                                                            \
    {                                                                                              \
        kill_everywhere(&name_##_operation);                                                       \
    }                                                                                              \
    TEST_DEFINE(fail, name_, 120, true)                                                            \
    {                                                                                              \
        fail_everywhere(&name_##_operation);                                                       \
    }

/* A MEETING gives the test meet.NAME: one thread of a process does `act` instruction by instruction, and
 * before one of them another thread does `other`, as far as it comes. MP_MEET=all tries it before
 * each instruction, otherwise it is some by chance, of about so many.
 * Of 0 it is all the moments at which a victim would be killed. */
#define MEETING(name_, moments_, set_up_, prepare_, act_, other_, after_)                          \
    MEETING_WITH(name_, moments_, set_up_, prepare_, act_, other_, after_, .patience = 20)
/* With more members of the operation behind. */
#define MEETING_WITH(name_, moments_, set_up_, prepare_, act_, other_, after_, ...)                \
    static const operation name_##_meeting = {.set_up = set_up_,                                   \
                                              .prepare = prepare_,                                 \
                                              .act = act_,                                         \
                                              .other = other_,                                     \
                                              .after = after_,                                     \
                                              .moments = moments_,                                 \
                                              .leaves_children = true,                             \
                                              __VA_ARGS__};                                        \
    TEST_DEFINE(meet, name_, 120, true)                                                            \
    {                                                                                              \
        meet_everywhere(&name_##_meeting);                                                         \
    }

#endif
