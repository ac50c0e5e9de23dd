/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the tests of managers share. */
#ifndef TEST_MANAGER_H
#define TEST_MANAGER_H

#include "test_util.h"

#include <pthread.h>

#define INT(i) mp_item_int(i)
#define TEXT(t) mp_item_text(t)

/* Started, by the method under test. */
mp_manager *manager_new(void);
/* Has it serve in a thread of this process, and waits until it does; the thread ends with it. */
pthread_t serves_in_a_thread(mp_manager *m);
/* An empty object of this type. */
mp_proxy *object_new(mp_manager *m, const char *type);
/* Whether the object's text is this one. */
void check_str(const mp_proxy *p, const char *want);
uint64_t objects(const mp_manager *m);
/* Waits until so many calls wait in the server. */
void wait_for_waiting(mp_manager *m, size_t count);
/* Calls a method with these items. */
#define CALL(p, method, timeout, ...)                                                              \
    call_items(p, method, timeout, (const mp_item[]){__VA_ARGS__},                                 \
               sizeof((const mp_item[]){__VA_ARGS__}) / sizeof(mp_item))
mp_status call_items(const mp_proxy *p, const char *method, mp_timeout timeout,
                     const mp_item *items, size_t count);
/* The answer as text: "1 'two' None". Static. */
const char *answer_text(mp_answer *a);
#define CHECK_CALL(p, want, method, ...)                                                           \
    check_call(__LINE__, p, want, method, (const mp_item[]){INT(0), __VA_ARGS__},                  \
               sizeof((const mp_item[]){INT(0), __VA_ARGS__}) / sizeof(mp_item))
#define CHECK_CALL0(p, want, method) check_call(__LINE__, p, want, method, NULL, 0)
void check_call(int line, const mp_proxy *p, const char *want, const char *method,
                const mp_item *items, size_t count);

/* ---- a client of one's own: what it says is not checked ---- */

/* A request's bytes; gives how many. The values are as they are sent, with their count. */
size_t raw_request(unsigned char *to, int what, uint64_t object, const char *name,
                   const void *values, size_t len);
void raw_say(mp_connection *c, int what, uint64_t object, const char *name, const void *values,
             size_t len);
/* The status of the answer. */
int32_t raw_answer(mp_connection *c);
/* Both, without values. */
int32_t raw_ask(mp_connection *c, int what, uint64_t object, const char *name);
/* One more connection of the session with this number. */
mp_connection *raw_session(mp_manager *m, int number);

#endif
