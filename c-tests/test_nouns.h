/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One handle of each noun that a message can carry. */
#ifndef TEST_NOUNS_H
#define TEST_NOUNS_H

#include "test_util.h"

enum { NOUNS = 12 };

void nouns_make(void *all[NOUNS]);
/* Each is what was made. What is used up is put back, so that the next one finds the same. */
void nouns_use(void *const all[NOUNS]);
void nouns_free(void *const all[NOUNS]);

/* The handle at this place of a message. */
void *handle_of(mp_buffer *b, size_t index);
/* All of a message that carries one of each. */
void nouns_take(mp_buffer *b, void *all[NOUNS]);

#endif
