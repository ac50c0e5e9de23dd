/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Names of a test's own, and processes that are no relatives. */
#ifndef TEST_NAMES_H
#define TEST_NAMES_H

#include "test_util.h"

enum { NAME_SIZE = 64, PATH_SIZE = 128 };

/* A name that no other test uses; the same for all processes of this one. */
const char *name_of(const char *what);
/* The file that the name is. */
const char *name_path(const char *name);
bool name_exists(const char *name);

int name_open(mp_lock **l, const char *name, int how);
mp_lock *name_lock(const char *name, int how);

int name_array(mp_array **a, const char *name, int how, int type, size_t length);
int name_value(mp_value **v, const char *name, int how, int type);
int name_memory(mp_shared_memory **m, const char *name, int how, size_t size);
int name_list(mp_shareable_list **l, const char *name, int how, const mp_item *items, size_t count);
int name_queue(mp_queue **q, const char *name, int how);

/* A process that shares nothing with this one but what it is told: it plays a role of
 * test_names_roles.c. */
typedef struct stranger {
    pid_t pid;
    int to, from;
} stranger;

stranger stranger_start(const char *role, const char *name, const char *more);
/* Waits until it says that it is ready. */
void stranger_ready(const stranger *s);
/* Lets it go on; gives its exit code, or -N for signal N. */
int stranger_end(stranger *s);
void stranger_kill(stranger *s);

/* What a role does: what stranger_ready waits for, and until stranger_end. */
void role_says_ready(void);
void role_waits_for_end(void);
/* The roles of strangers that share queues. */
bool role_of_queues(const char *role, const char *name, const char *more);
/* And of those that share a manager. */
bool role_of_managers(const char *role, const char *name, const char *more);

/* A barrier of two, a condition, an event and a semaphore. */
typedef struct meeting {
    mp_barrier *barrier;
    mp_condition *condition;
    mp_event *event;
    mp_semaphore *semaphore;
} meeting;

meeting meeting_open(const char *name);
void meeting_round(meeting *m, bool leads);
void meeting_free(meeting *m);

#endif
