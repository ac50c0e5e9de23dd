/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What tests of forks that the program makes itself share. */
#ifndef TEST_CONNECTION_FORK_H
#define TEST_CONNECTION_FORK_H

#include "test_connection.h"

void is_at_its_end(mp_connection *c);

#endif
