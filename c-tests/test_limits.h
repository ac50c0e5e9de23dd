/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef TEST_LIMITS_H
#define TEST_LIMITS_H

#include "test_pool.h"

/* Makes one of everything that takes memory; each may fail, and what succeeded must work. Gives the
 * first status. */
int use_everything(void);

#endif
