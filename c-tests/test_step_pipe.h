/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the tests that kill at messages through a pipe share: the victim's end, and its helper, which has both. */
#ifndef TEST_STEP_PIPE_H
#define TEST_STEP_PIPE_H

#include "step.h"
#include "test_connection.h"
#include "test_util.h"

/* What the helper says in `found`. */
enum { READY = 1, THERE, NOT_THERE };

extern mp_value *go, *found;
extern mp_connection *mine;
/* The message, or room for it. */
extern void *bytes;
extern size_t length;

/* What the victim holds ends with it, so there is nothing to be said of a call that fails. */
#define KILLED(name_, moments_, set_up_, prepare_, act_)                                           \
    static const operation name_##_operation = {.set_up = set_up_,                                 \
                                                .prepare = prepare_,                               \
                                                .act = act_,                                       \
                                                .check = found_or_not,                             \
                                                .leaves_children = true,                           \
                                                .moments = moments_};                              \
    TEST_DEFINE(kill, name_, 120, true)                                                            \
    {                                                                                              \
        kill_everywhere(&name_##_operation);                                                       \
    }

/* Makes the flags, for a message of this length. */
void values(size_t len);
void a_short_message(void);
void a_long_message(void);
/* Starts the helper, which receives what the victim sends, or has sent what the victim receives. Its arguments are the
 * end that sends and the one that receives, the flags go and found, and the length. */
void is_received_by(mp_process_fn fn);
void is_sent_by(mp_process_fn fn);
/* By one that looks for the message. */
void receiver_waits(void);
/* In the helper, a thread: says "after" once the victim is dead. */
void *sends_after(void *child);
/* What the helper has found, with the victim dead. */
void found_or_not(outcome_of how);

#endif
