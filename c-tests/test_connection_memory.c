/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages for which there is no memory, or no handle, and messages of more than 4 GiB; clients, arguments and results
 * for which there is no handle. */
#include "test_connection.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- memory ---- */

enum { HUGE = 256 << 20 };

/* From now on no more address space than what is in use, and so much. */
static void limit_memory(size_t more)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (more > 0)
        limit.rlim_cur = address_space() + more;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void *writes_huge(void *arg)
{
    half *h = arg;
    unsigned char head[4] = {HUGE >> 24, 0, 0, 0};
    char *block = calloc(1, 1 << 20);
    int i;

    CHECK(block != NULL);
    raw_write(h->raw, head, 4);
    for (i = 0; i < HUGE >> 20; i++) {
        block[0] = (char)i;
        raw_write(h->raw, block, 1 << 20);
    }
    free(block);
    return NULL;
}

/* Memory gives out in the middle of a message; when there is some again the message is whole. */
TEST(connection, no_memory_for_a_message)
{
    half h = half_new();
    pthread_t thread;
    const char *data;
    mp_buffer *b;
    size_t len;
    int i;

    CHECK(pthread_create(&thread, NULL, writes_huge, &h) == 0);
    CHECK_OK(mp_connection_poll(h.c, MP_FOREVER));
    limit_memory(64 << 20);
    CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, SIZE_MAX, &len, MP_FOREVER), MP_ERR_NO_MEMORY);
    CHECK_INT(len, HUGE);
    limit_memory(0);
    CHECK_OK(mp_connection_recv_buffer(h.c, &b, SIZE_MAX, &len, MP_FOREVER));
    CHECK_INT(len, HUGE);
    data = mp_buffer_data(b, NULL);
    for (i = 0; i < HUGE >> 20; i++)
        CHECK_INT(data[(size_t)i << 20], (char)i);
    CHECK_OK(mp_buffer_free(b));
    CHECK(pthread_join(thread, NULL) == 0);
    half_free(h);
}

/* The time runs out in the middle, and what has come, or is left to go, cannot be kept. */
TEST(connection, no_memory_to_keep_half_a_message)
{
    half h = half_new();
    char *room = malloc(HUGE), *message = calloc(1, HUGE);
    unsigned char head[4] = {HUGE >> 24, 0, 0, 0};
    char c;
    int i;

    CHECK(room != NULL && message != NULL);
    CHECK(setsockopt(h.raw, SOL_SOCKET, SO_SNDBUF, &(int){8 << 20}, sizeof(int)) == 0);
    raw_write(h.raw, head, 4);
    CHECK(send(h.raw, message, 100000, MSG_DONTWAIT) > 50000);
    limit_memory(4096);
    /* What the allocator has in store goes first. */
    while (malloc(1024) != NULL)
        continue;
    CHECK_STATUS(mp_connection_recv(h.c, room, HUGE, NULL, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    CHECK_STATUS(mp_connection_send(h.c, message, HUGE, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    limit_memory(0);
    for (i = 0; i < 2; i++) {
        CHECK_SENTENCE(mp_connection_recv(h.c, &c, 1, NULL, MP_NO_WAIT), MP_ERR_NO_MEMORY, "to keep it");
        CHECK_SENTENCE(mp_connection_send(h.c, "x", 1, MP_NO_WAIT), MP_ERR_NO_MEMORY, "keep the rest");
    }
    half_free(h);
    free(room);
    free(message);
}

/* ---- handles ---- */

static mp_buffer **all;
static size_t count;

/* As many as there can be. */
static void fill_handles(void)
{
    int s;

    all = malloc(sizeof *all << 20);
    CHECK(all != NULL);
    while ((s = mp_buffer_new(&all[count], NULL, 0)) == MP_OK)
        count++;
    CHECK_STATUS(s, MP_ERR_NO_MEMORY);
}

static void release_handles(void)
{
    while (count > 0)
        CHECK_OK(mp_buffer_free(all[--count]));
    free(all);
}

/* All that can be are in use: what cannot be received stays, with its handles too. */
TEST_T(connection, no_handle_for_a_buffer, 120)
{
    mp_value *v = flag_new();
    const void *handles[] = {v};
    mp_buffer *b, *last;
    half h = half_new();
    mp_connection *one, *other;
    size_t i;

    CHECK_OK(mp_pipe_new(&one, &other, NULL));
    CHECK_OK(mp_connection_send(one, "short", 5, MP_NO_WAIT));
    CHECK_OK(mp_connection_send_handles(one, "laden", 5, handles, 1, MP_NO_WAIT));
    raw_frame(h.raw, "short", 5);
    fill_handles();
    for (i = 0; i < 3; i++) {
        CHECK_STATUS(mp_connection_recv_buffer(h.c, &b, SIZE_MAX, NULL, MP_NO_WAIT), MP_ERR_NO_MEMORY);
        CHECK_STATUS(mp_connection_recv_buffer(other, &b, SIZE_MAX, NULL, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    }
    CHECK_OK(mp_buffer_free(all[--count]));
    CHECK_OK(mp_connection_recv_buffer(h.c, &b, SIZE_MAX, NULL, MP_NO_WAIT));
    CHECK(memcmp(mp_buffer_data(b, NULL), "short", 5) == 0);
    CHECK_STATUS(mp_connection_recv_buffer(h.c, &last, SIZE_MAX, NULL, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    CHECK_OK(mp_buffer_free(b));
    recv_text(other, "short");
    CHECK_OK(mp_connection_recv_buffer(other, &b, SIZE_MAX, NULL, MP_NO_WAIT));
    CHECK_INT(mp_buffer_handles(b), 1);
    CHECK_OK(mp_buffer_free(b));
    /* One that waited in vain has given its handle back. */
    CHECK_STATUS(mp_connection_recv_buffer(other, &b, SIZE_MAX, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_buffer_new(&b, NULL, 0));
    CHECK_OK(mp_buffer_free(b));
    release_handles();
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_connection_free(one));
    CHECK_OK(mp_connection_free(other));
    half_free(h);
}

/* Nor is a client lost. */
TEST_T(listener, no_handle_for_a_client, 120)
{
    mp_listener *l = listener_new(NULL, NULL);
    mp_connection *client = client_new(address_of(l).text, NULL), *c;
    int i;

    fill_handles();
    for (i = 0; i < 3; i++)
        CHECK_STATUS(mp_listener_accept(l, &c, MP_NO_WAIT), MP_ERR_NO_MEMORY);
    CHECK_OK(mp_buffer_free(all[--count]));
    CHECK_OK(mp_listener_accept(l, &c, MP_NO_WAIT));
    release_handles();
    CHECK_STATUS(mp_listener_accept(l, &c, MP_NO_WAIT), MP_ERR_TIMEOUT);
    send_text(c, "still there");
    recv_text(client, "still there");
    CHECK_OK(mp_connection_free(c));
    CHECK_OK(mp_connection_free(client));
    CHECK_OK(mp_listener_free(l));
}

static int finds_no_room(mp_child *self, void *user)
{
    mp_connection *c;
    mp_listener *l;
    int i;

    CHECK(user == NULL);
    fill_handles();
    for (i = 0; i < 3; i++) {
        CHECK_NULL(mp_child_connection(self, 0));
        CHECK_NULL(mp_child_listener(self, 1));
    }
    release_handles();
    c = mp_child_connection(self, 0);
    CHECK(c != NULL);
    CHECK_NULL(mp_child_connection(self, 1));
    /* One with a key takes another descriptor. */
    fill_descriptors(0);
    for (i = 0; i < 3; i++)
        CHECK_NULL(mp_child_listener(self, 1));
    CHECK_CONTAINS(mp_last_error(), "argument 1");
    release_descriptors();
    l = mp_child_listener(self, 1);
    CHECK(l != NULL);
    send_text(c, "found");
    lets_in(l);
    return 0;
}

TEST_T(connection, no_room_for_an_argument, 120)
{
    mp_listener *l = listener_new(NULL, "the key");
    mp_connection *mine, *childs;
    mp_process *p;
    caller calls_it;

    CHECK_OK(mp_pipe_new(&mine, &childs, NULL));
    p = CHILD_START(finds_no_room, childs, l);
    CHECK_OK(mp_connection_free(childs));
    recv_text(mine, "found");
    call(&calls_it, address_of(l).text, "the key", MP_OK);
    called(&calls_it);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_connection_free(mine));
    CHECK_OK(mp_listener_free(l));
}

static void doubles(mp_task *task, void *user)
{
    int x;

    CHECK(user == NULL);
    memcpy(&x, mp_task_input(task, NULL), sizeof x);
    x *= 2;
    CHECK_OK(mp_task_return(task, &x, sizeof x));
}

static int counts_to_ten(mp_bytes *item, void *user)
{
    int *next = user;

    ++*next;
    item->data = next;
    item->len = sizeof *next;
    return *next <= 10;
}

/* Nor a result. */
TEST_T(imap, no_handle_for_a_result, 120)
{
    int next = 0, i, x;
    mp_buffer *b;
    mp_pool *pool;
    mp_imap *imap;
    size_t index;

    CHECK_OK(mp_pool_new(&pool, NULL));
    CHECK_OK(mp_pool_imap(pool, doubles, NULL, counts_to_ten, &next, NULL, &imap));
    fill_handles();
    for (i = 0; i < 3; i++)
        CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &b, NULL), MP_ERR_NO_MEMORY);
    release_handles();
    for (i = 0; i < 10; i++) {
        CHECK_OK(mp_imap_next(imap, MP_FOREVER, &b, &index));
        CHECK_INT(index, i);
        memcpy(&x, mp_buffer_data(b, NULL), sizeof x);
        CHECK_INT(x, 2 * (i + 1));
        CHECK_OK(mp_buffer_free(b));
    }
    CHECK_STATUS(mp_imap_next(imap, MP_FOREVER, &b, NULL), MP_ERR_EOF);
    CHECK_OK(mp_imap_free(imap));
    CHECK_OK(mp_pool_free(pool));
}

/* ---- size ---- */

/* 4 GiB and more of addresses that are all the same MiB. */
static char *folded(size_t len)
{
    int fd = memfd_create("folded", MFD_CLOEXEC);
    char *at = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t i;

    CHECK(fd >= 0 && at != MAP_FAILED);
    CHECK(ftruncate(fd, 1 << 20) == 0);
    for (i = 0; i < len; i += 1 << 20)
        CHECK(mmap(at + i, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
              MAP_FAILED);
    close(fd);
    return at;
}

#define OVER_4_GIB (((size_t)4 << 30) + (3 << 20))

static int sends_over_4_gib(mp_child *self, void *user)
{
    char *data = folded(OVER_4_GIB);
    size_t i;

    (void)user;
    for (i = 0; i < 1 << 20; i++)
        data[i] = (char)pattern_at(i, 5);
    CHECK_OK(mp_connection_send(mp_child_connection(self, 0), data, OVER_4_GIB - 7, MP_FOREVER));
    send_text(mp_child_connection(self, 0), "and a short one");
    return 0;
}

TEST_T(connection, more_than_4_gib, 180)
{
    char *room = folded(OVER_4_GIB);
    mp_connection *a, *b;
    mp_process *p;
    size_t len;

    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    p = CHILD_START(sends_over_4_gib, b);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_recv(a, room, OVER_4_GIB, &len, MP_FOREVER));
    CHECK(len == OVER_4_GIB - 7);
    /* Every MiB was the same, and so is what the last of them has left. */
    pattern_same(room, (1 << 20) - 7, 5);
    recv_text(a, "and a short one");
    CHECK_INT(child_end(p), 0);
    CHECK(munmap(room, OVER_4_GIB) == 0);
    CHECK_OK(mp_connection_free(a));
}
