/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the files that test connections share. */
#ifndef TEST_CONNECTION_H
#define TEST_CONNECTION_H

#include "test_util.h"

#include <pthread.h>

/* A connection, and the raw socket at its other end, which may say whatever it likes. */
typedef struct half {
    mp_connection *c;
    int raw;
} half;

half half_new(void);
void half_free(half h);
/* Writes bytes into the raw end, all of them. */
void raw_write(int fd, const void *data, size_t len);
/* Reads exactly so many; false at the end. */
bool raw_read(int fd, void *data, size_t len);
/* A frame, as Python writes it. */
void raw_frame(int fd, const void *data, uint32_t len);

/* Byte i of message number n. */
unsigned char pattern_at(size_t i, unsigned n);
void *pattern_new(size_t len, unsigned n);
void pattern_same(const void *data, size_t len, unsigned n);

/* Receives this text and nothing else. */
void recv_text(mp_connection *c, const char *text);
void send_text(mp_connection *c, const char *text);

/* The address of a listener. */
typedef struct address {
    char text[200];
} address;

address address_of(mp_listener *l);
mp_listener *listener_new(const char *address, const char *key);
mp_connection *client_new(const char *address, const char *key);
/* A client connects and both sides say something. */
void talk(mp_listener *l, const char *to);

/* A listener with a key at a name, whose clients have so long to prove that they know it. */
mp_listener *with_key(const char *key, int64_t patience);
/* A socket that is connected to it, and says nothing yet. */
int raw_client(mp_listener *l);
/* A listening socket of the test's own, and its address. */
int raw_listener(address *a);

/* A thread that connects with a key, which has to give this status; once it is in it says "in" and waits for "bye". */
typedef struct caller {
    address to;
    const char *key;
    int want;
    int64_t timeout;
    pthread_t thread;
} caller;

void call(caller *c, const char *to, const char *key, int want);
void called(caller *c);
void *calls(void *caller);
/* The next client gets in, or does not. */
void lets_in(mp_listener *l);
void keeps_out(mp_listener *l, const char *why);
void still_works(mp_listener *l, const char *key);

#endif
