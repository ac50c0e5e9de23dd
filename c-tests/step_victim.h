/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the parts of step.h share: a victim, traced, and what the survivor finds. */
#ifndef STEP_VICTIM_H
#define STEP_VICTIM_H

#include "step.h"

#if defined(__x86_64__)
#define STEP_WORKS 1
#endif

/* What the victim leaves for the survivor. */
typedef struct board {
    int status;
    bool acted;
    /* For the victim's other thread: begin; and its answer: it has ended. */
    int go, gone;
} board_t;

extern board_t *board;

/* What a victim has in store. */
typedef struct length {
    long moments, steps;
} length;

typedef struct baseline {
    uint64_t blocks, processes;
    int descriptors;
} baseline;

/* Begins the library and the board; what there is before any victim. */
baseline step_begin(void);
void step_end(void);
/* What the variable asks for, "" for nothing. */
const char *form(const char *variable);

/* A victim that stands right before its act. Behind it, it runs `after`, if that is not NULL. */
pid_t victim_begin(const operation *op, void (*after)(void));
/* In the victim of a meeting: waits for its other thread. */
void other_end(void);
/* Lets it run up to this moment; false when its act has ended before. -1: to its end. */
bool run_to_moment(pid_t pid, long wanted, bool every, length *l);
/* Waits for its next stop; gives the signal, or 0 when it is gone. */
int next_stop(pid_t pid, int *status);
void victim_kill(pid_t pid);
bool in_segment(uintptr_t at);

/* The survivor looks, once the victim is gone. */
void check_baseline(const operation *op, baseline *b);

#endif
