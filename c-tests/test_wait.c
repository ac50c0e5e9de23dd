/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Waiting for any of many things, by mp_wait and by poll. */
#include "test_util.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUE, EVENT, SEMAPHORE, LOCK, RLOCK, KINDS };

/* One of each, none of them ready. */
typedef struct things {
    mp_queue *queue;
    mp_event *event;
    mp_semaphore *semaphore;
    mp_lock *lock;
    mp_rlock *rlock;
} things;

static const void *handle_of(const things *t, int kind)
{
    switch (kind) {
    case QUEUE:
        return t->queue;
    case EVENT:
        return t->event;
    case SEMAPHORE:
        return t->semaphore;
    case LOCK:
        return t->lock;
    default:
        return t->rlock;
    }
}

static void *takes_rlock(void *rlock)
{
    CHECK_OK(mp_rlock_acquire(rlock, MP_FOREVER));
    return NULL;
}

static things things_new(void)
{
    things t;

    CHECK_OK(mp_queue_new(&t.queue, NULL));
    CHECK_OK(mp_event_new(&t.event, NULL));
    CHECK_OK(mp_semaphore_new(&t.semaphore, 0, NULL));
    CHECK_OK(mp_rlock_new(&t.rlock, NULL));
    t.lock = lock_new();
    CHECK_OK(mp_lock_acquire(t.lock, MP_FOREVER));
    return t;
}

static void things_free(const things *t)
{
    CHECK_OK(mp_queue_free(t->queue));
    CHECK_OK(mp_event_free(t->event));
    CHECK_OK(mp_semaphore_free(t->semaphore));
    CHECK_OK(mp_lock_free(t->lock));
    CHECK_OK(mp_rlock_free(t->rlock));
}

/* Makes one ready that is not, and back. */
static void make_ready(const things *t, int kind)
{
    if (kind == QUEUE)
        CHECK_OK(mp_queue_put(t->queue, "x", 1, MP_FOREVER));
    else if (kind == EVENT)
        CHECK_OK(mp_event_set(t->event));
    else if (kind == SEMAPHORE)
        CHECK_OK(mp_semaphore_release(t->semaphore, 1));
    else
        CHECK_OK(mp_lock_release(t->lock));
}

static void make_unready(const things *t, int kind)
{
    char byte;

    if (kind == QUEUE)
        CHECK_OK(mp_queue_get(t->queue, &byte, 1, NULL, NULL, MP_NO_WAIT));
    else if (kind == EVENT)
        CHECK_OK(mp_event_clear(t->event));
    else if (kind == SEMAPHORE)
        CHECK_OK(mp_semaphore_acquire(t->semaphore, MP_NO_WAIT));
    else
        CHECK_OK(mp_lock_acquire(t->lock, MP_NO_WAIT));
}

static mp_wait_item item(const void *handle, int descriptor)
{
    mp_wait_item i;

    i.handle = handle;
    i.descriptor = descriptor;
    i.ready = true;
    return i;
}

static bool readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    CHECK(poll(&p, 1, 0) >= 0);
    CHECK((p.revents & ~POLLIN) == 0);
    return p.revents != 0;
}

TEST(wait, each_kind_is_told)
{
    things t = things_new();
    mp_wait_item items[LOCK + 1];
    size_t ready = 99;
    int kind, i;

    for (i = 0; i <= LOCK; i++)
        items[i] = item(handle_of(&t, i), -1);
    CHECK_STATUS(mp_wait(items, LOCK + 1, &ready, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_INT(ready, 0);
    for (i = 0; i <= LOCK; i++)
        CHECK(!items[i].ready);
    for (kind = 0; kind <= LOCK; kind++) {
        make_ready(&t, kind);
        CHECK_OK(mp_wait(items, LOCK + 1, &ready, MP_FOREVER));
        CHECK_INT(ready, 1);
        for (i = 0; i <= LOCK; i++)
            CHECK_INT(items[i].ready, i == kind);
        /* Nothing was taken. */
        CHECK_OK(mp_wait(items, LOCK + 1, NULL, MP_NO_WAIT));
        make_unready(&t, kind);
        CHECK_STATUS(mp_wait(items, LOCK + 1, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
    }
    for (kind = 0; kind <= LOCK; kind++)
        make_ready(&t, kind);
    CHECK_OK(mp_wait(items, LOCK + 1, &ready, MP_FOREVER));
    CHECK_INT(ready, LOCK + 1);
    things_free(&t);
}

/* An RLock is ready for the thread that has it, and for no other. */
TEST(wait, rlock_is_its_threads)
{
    mp_rlock *rlock;
    mp_wait_item one;
    pthread_t thread;

    CHECK_OK(mp_rlock_new(&rlock, NULL));
    one = item(rlock, -1);
    CHECK_OK(mp_wait(&one, 1, NULL, MP_NO_WAIT));
    CHECK_OK(mp_rlock_acquire(rlock, MP_FOREVER));
    CHECK_OK(mp_wait(&one, 1, NULL, MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(rlock));
    CHECK(pthread_create(&thread, NULL, takes_rlock, rlock) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(mp_wait(&one, 1, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
    CHECK(!one.ready);
    CHECK_OK(mp_rlock_free(rlock));
}

/* What a child makes ready, while this process sleeps or is about to. */
static int makes_ready(mp_child *self, void *user)
{
    int kind = child_number(self, 0);
    things t;

    CHECK(user == NULL);
    t.queue = mp_child_queue(self, 1);
    t.event = mp_child_event(self, 2);
    t.semaphore = mp_child_semaphore(self, 3);
    t.lock = mp_child_lock(self, 4);
    make_ready(&t, kind);
    return 0;
}

static mp_process *start_maker(const things *t, int kind)
{
    mp_process *p;

    CHECK_OK(mp_process_new(&p, makes_ready, NULL, NULL));
    child_add_number(p, kind);
    CHECK_OK(mp_process_add_handle(p, t->queue));
    CHECK_OK(mp_process_add_handle(p, t->event));
    CHECK_OK(mp_process_add_handle(p, t->semaphore));
    CHECK_OK(mp_process_add_handle(p, t->lock));
    CHECK_OK(mp_process_start(p));
    return p;
}

TEST_T(wait, another_process_makes_ready, 60)
{
    things t = things_new();
    mp_wait_item items[LOCK + 2];
    int ends[2], round, i;

    CHECK(pipe(ends) == 0);
    for (i = 0; i <= LOCK; i++)
        items[i] = item(handle_of(&t, i), -1);
    items[LOCK + 1] = item(NULL, ends[0]);
    for (round = 0; round < 12; round++) {
        int kind = round % (LOCK + 1);
        mp_process *p = start_maker(&t, kind);
        size_t ready;

        /* With a foreign descriptor among them, and without. */
        CHECK_OK(mp_wait(items, LOCK + 1 + (size_t)(round / 2 % 2), &ready, MP_FOREVER));
        CHECK_INT(ready, 1);
        CHECK(items[kind].ready);
        CHECK_INT(child_end(p), 0);
        make_unready(&t, kind);
    }
    CHECK(stats_now().rescued == 0);
    close(ends[0]);
    close(ends[1]);
    things_free(&t);
}

static int answers(mp_child *self, void *user)
{
    mp_queue *in = mp_child_queue(self, 0), *out = mp_child_queue(self, 1);
    int64_t x;
    bool none = false;

    CHECK(user == NULL);
    for (;;) {
        CHECK_OK(mp_queue_get(in, &x, sizeof x, NULL, &none, MP_FOREVER));
        if (none)
            return 0;
        CHECK_OK(mp_queue_put(out, &x, sizeof x, MP_FOREVER));
    }
}

/* Each wait finds exactly what comes, thousands of times in a row: a lost ring would be counted. */
TEST_T(wait, nothing_is_lost_in_ten_thousand_rounds, 60)
{
    enum { ROUNDS = 10000 };
    mp_queue *to, *from[2];
    mp_event *never;
    mp_wait_item items[3];
    mp_process *children[2];
    int64_t i, x;
    int c;

    CHECK_OK(mp_event_new(&never, NULL));
    CHECK_OK(mp_queue_new(&to, NULL));
    items[2] = item(never, -1);
    for (c = 0; c < 2; c++) {
        CHECK_OK(mp_queue_new(&from[c], NULL));
        children[c] = CHILD_START(answers, to, from[c]);
        items[c] = item(from[c], -1);
    }
    for (i = 0; i < ROUNDS; i++) {
        size_t ready;

        CHECK_OK(mp_queue_put(to, &i, sizeof i, MP_FOREVER));
        CHECK_OK(mp_wait(items, 3, &ready, MP_FOREVER));
        CHECK(ready == 1 && !items[2].ready);
        CHECK_OK(mp_queue_get(from[items[1].ready], &x, sizeof x, NULL, NULL, MP_NO_WAIT));
        CHECK_INT(x, i);
    }
    CHECK(stats_now().rescued == 0);
    for (c = 0; c < 2; c++)
        CHECK_OK(mp_queue_put_none(to, MP_FOREVER));
    for (c = 0; c < 2; c++) {
        CHECK_INT(child_end(children[c]), 0);
        CHECK_OK(mp_queue_free(from[c]));
    }
    CHECK_OK(mp_queue_free(to));
    CHECK_OK(mp_event_free(never));
}

/* Set and cleared while somebody waits: that counts. */
static int pulses(mp_child *self, void *user)
{
    mp_event *e = mp_child_event(self, 0);
    mp_value *go_on = mp_child_value(self, 1);

    CHECK(user == NULL);
    while (flag_get(go_on) == 0) {
        CHECK_OK(mp_event_set(e));
        CHECK_OK(mp_event_clear(e));
    }
    return 0;
}

TEST(wait, a_pulse_is_seen)
{
    mp_value *stop = flag_new();
    mp_process *p;
    mp_event *e;
    mp_wait_item one;

    CHECK_OK(mp_event_new(&e, NULL));
    p = CHILD_START(pulses, e, stop);
    one = item(e, -1);
    CHECK_OK(mp_wait(&one, 1, NULL, MP_FOREVER));
    CHECK(one.ready);
    flag_set(stop, 1);
    CHECK_INT(child_end(p), 0);
    CHECK_OK(mp_event_free(e));
    CHECK_OK(mp_value_free(stop));
}

static int holds_and_waits(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_lock_acquire(mp_child_lock(self, 0), MP_FOREVER));
    CHECK_OK(mp_semaphore_acquire(mp_child_semaphore(self, 1), MP_FOREVER));
    flag_set(mp_child_value(self, 2), 1);
    pause();
    return 0;
}

/* What a killed process held is found out by who waits. */
TEST(wait, killed_holders_make_ready)
{
    mp_semaphore_options options = MP_SEMAPHORE_OPTIONS;
    mp_value *there = flag_new();
    mp_lock *lock = lock_new();
    mp_semaphore *semaphore;
    mp_wait_item items[3];
    mp_process *p;
    int ends[2], round;

    options.give_back = true;
    CHECK_OK(mp_semaphore_new(&semaphore, 1, &options));
    CHECK(pipe(ends) == 0);
    items[2] = item(NULL, ends[0]);
    for (round = 0; round < 4; round++) {
        /* The lock alone, then the semaphore; with a descriptor and without. */
        items[0] = item(round % 2 == 0 ? (const void *)lock : semaphore, -1);
        items[1] = item(NULL, ends[0]);
        flag_set(there, 0);
        p = CHILD_START(holds_and_waits, lock, semaphore, there);
        flag_wait(there, 1);
        CHECK_STATUS(mp_wait(items, round < 2 ? 1 : 2, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
        CHECK(kill(child_pid(p), SIGKILL) == 0);
        CHECK_OK(mp_wait(items, round < 2 ? 1 : 2, NULL, MP_FOREVER));
        CHECK(items[0].ready);
        CHECK_INT(child_end(p), -SIGKILL);
        CHECK_OK(mp_lock_acquire(lock, MP_FOREVER));
        CHECK_OK(mp_lock_release(lock));
    }
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(mp_lock_free(lock));
    CHECK_OK(mp_semaphore_free(semaphore));
    CHECK_OK(mp_value_free(there));
}

static int ends_when_told(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_event_wait(mp_child_event(self, 0), MP_FOREVER));
    return 7;
}

TEST(wait, processes_and_descriptors)
{
    mp_wait_item items[3];
    mp_process *p;
    mp_event *e, *never;
    int ends[2], fd;
    size_t ready;

    CHECK_OK(mp_event_new(&e, NULL));
    CHECK_OK(mp_event_new(&never, NULL));
    CHECK(pipe(ends) == 0);
    p = CHILD_START(ends_when_told, e);
    items[0] = item(p, -1);
    items[1] = item(NULL, ends[0]);
    items[2] = item(never, -1);
    CHECK_STATUS(mp_wait(items, 3, NULL, MP_MS(2)), MP_ERR_TIMEOUT);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK_OK(mp_wait(items, 3, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[1].ready);
    CHECK_OK(mp_wait(items, 2, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[1].ready);
    CHECK_OK(mp_event_set(e));
    CHECK_OK(mp_wait(items, 1, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[0].ready);
    CHECK_OK(mp_wait(items, 3, &ready, MP_NO_WAIT));
    CHECK_INT(ready, 2);
    CHECK_INT(child_end(p), 7);
    /* One that has ended long ago, and of which nobody asked before. */
    p = CHILD_START(ends_when_told, e);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    items[0] = item(p, -1);
    CHECK_OK(mp_wait(items, 1, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[0].ready);
    CHECK_OK(mp_descriptor(p, &fd));
    CHECK(readable(fd));
    CHECK_INT(child_end(p), 7);
    /* The other end closed: that is ready, too. */
    close(ends[1]);
    CHECK_OK(mp_wait(items + 1, 2, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[1].ready);
    close(ends[0]);
    CHECK_SENTENCE(mp_wait(items + 1, 1, NULL, MP_FOREVER), MP_ERR_INVALID, "is not open");
    items[1].descriptor = -1;
    CHECK_SENTENCE(mp_wait(items + 1, 2, NULL, MP_FOREVER), MP_ERR_INVALID, "is not open");
    CHECK_OK(mp_event_free(e));
    CHECK_OK(mp_event_free(never));
}

TEST(wait, connections_and_listeners)
{
    mp_listener_options options = MP_LISTENER_OPTIONS;
    mp_connection *a, *b, *client, *server;
    mp_listener *listener;
    mp_wait_item items[3];
    char byte, address[64];
    mp_event *never;
    size_t ready;
    int fd;

    snprintf(address, sizeof address, "@mp-test-wait-%d", (int)getpid());
    CHECK_OK(mp_pipe_new(&a, &b, NULL));
    CHECK_OK(mp_event_new(&never, NULL));
    CHECK_OK(mp_listener_new(&listener, address, &options));
    items[0] = item(b, -1);
    items[1] = item(listener, -1);
    items[2] = item(never, -1);
    CHECK_STATUS(mp_wait(items, 3, NULL, MP_MS(2)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_connection_send(a, "x", 1, MP_FOREVER));
    CHECK_OK(mp_wait(items, 3, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[0].ready);
    /* Taken from the socket, and not by anybody yet. */
    CHECK_STATUS(mp_connection_recv(b, NULL, 0, NULL, MP_FOREVER), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_wait(items, 3, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[0].ready && !items[1].ready && !items[2].ready);
    CHECK_OK(mp_connection_recv(b, &byte, 1, NULL, MP_FOREVER));
    CHECK_STATUS(mp_wait(items, 2, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_client_connect(&client, address, NULL, MP_FOREVER));
    CHECK_OK(mp_wait(items, 2, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[1].ready);
    CHECK_OK(mp_listener_accept(listener, &server, MP_FOREVER));
    CHECK_OK(mp_descriptor(b, &fd));
    CHECK(!readable(fd));
    CHECK_OK(mp_descriptor(listener, &fd));
    CHECK(!readable(fd));
    /* The end counts. */
    CHECK_OK(mp_connection_free(a));
    CHECK_OK(mp_wait(items, 3, &ready, MP_FOREVER));
    CHECK(ready == 1 && items[0].ready);
    CHECK_OK(mp_connection_close(b));
    CHECK_STATUS(mp_wait(items, 3, NULL, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_STATUS(mp_descriptor(b, &fd), MP_ERR_CLOSED);
    CHECK_OK(mp_connection_free(b));
    CHECK_OK(mp_connection_free(client));
    CHECK_OK(mp_connection_free(server));
    CHECK_OK(mp_listener_free(listener));
    CHECK_OK(mp_event_free(never));
}

TEST(wait, timeout_waits_its_time)
{
    static const int64_t waits[] = {1, 1000000, 20000000, 130000000};
    mp_event *e;
    mp_wait_item items[2];
    int ends[2];
    size_t i;

    CHECK_OK(mp_event_new(&e, NULL));
    CHECK(pipe(ends) == 0);
    items[0] = item(e, -1);
    items[1] = item(NULL, ends[0]);
    alarms_start();
    for (i = 0; i < COUNT(waits) * 3; i++) {
        int64_t before = now_ns(), wait = waits[i % COUNT(waits)];

        /* The event, the pipe, both. */
        CHECK_STATUS(mp_wait(items + i / COUNT(waits) % 2, 1 + i / COUNT(waits) / 2, NULL, wait),
                     MP_ERR_TIMEOUT);
        CHECK(now_ns() - before >= wait);
    }
    CHECK(alarms_stop() > 1);
    CHECK_STATUS(mp_wait(items, 2, NULL, -1), MP_ERR_TIMEOUT);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(mp_event_free(e));
}

TEST(wait, bad_items)
{
    mp_value *value = flag_new();
    mp_event *e;
    mp_wait_item one;
    int fd;

    CHECK_OK(mp_event_new(&e, NULL));
    one = item(e, -1);
    CHECK_SENTENCE(mp_wait(NULL, 1, NULL, MP_FOREVER), MP_ERR_INVALID, "nothing to wait for");
    CHECK_SENTENCE(mp_wait(&one, 0, NULL, MP_FOREVER), MP_ERR_INVALID, "nothing to wait for");
    CHECK_STATUS(mp_wait(&one, SIZE_MAX, NULL, MP_FOREVER), MP_ERR_NO_MEMORY);
    one = item(value, -1);
    CHECK_SENTENCE(mp_wait(&one, 1, NULL, MP_FOREVER), MP_ERR_UNSUPPORTED, "a value");
    CHECK_SENTENCE(mp_descriptor(value, &fd), MP_ERR_UNSUPPORTED, "a value");
    CHECK_SENTENCE(mp_descriptor(NULL, &fd), MP_ERR_BAD_HANDLE, "NULL");
    CHECK_STATUS(mp_descriptor(e, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_event_free(e));
    one = item(e, -1);
    CHECK_STATUS(mp_wait(&one, 1, NULL, MP_FOREVER), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_descriptor(e, &fd), MP_ERR_BAD_HANDLE);
    one = item(&one, -1);
    CHECK_STATUS(mp_wait(&one, 1, NULL, MP_FOREVER), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_value_free(value));
}

/* ---- descriptors for the host's loop ---- */

TEST(wait, descriptor_follows_each_kind)
{
    things t = things_new();
    int fds[LOCK + 1], kind, again, round;

    for (kind = 0; kind <= LOCK; kind++) {
        CHECK_OK(mp_descriptor(handle_of(&t, kind), &fds[kind]));
        CHECK_OK(mp_descriptor(handle_of(&t, kind), &again));
        CHECK_INT(again, fds[kind]);
        CHECK(!readable(fds[kind]));
    }
    for (round = 0; round < 50; round++) {
        for (kind = 0; kind <= LOCK; kind++) {
            struct pollfd p = {fds[kind], POLLIN, 0};

            make_ready(&t, kind);
            CHECK_INT(poll(&p, 1, -1), 1);
            /* Exact, since only this process takes. */
            make_unready(&t, kind);
            CHECK(!readable(fds[kind]));
        }
    }
    /* What is freed has none. */
    things_free(&t);
    for (kind = 0; kind <= LOCK; kind++) {
        struct pollfd p = {fds[kind], POLLIN, 0};

        CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLNVAL);
    }
}

TEST(wait, descriptor_of_what_another_process_makes_ready)
{
    things t = things_new();
    struct pollfd fds[LOCK + 1];
    int kind, i;

    for (i = 0; i <= LOCK; i++) {
        CHECK_OK(mp_descriptor(handle_of(&t, i), &fds[i].fd));
        fds[i].events = POLLIN;
    }
    for (kind = 0; kind <= LOCK; kind++) {
        mp_process *p = start_maker(&t, kind);

        CHECK_INT(poll(fds, LOCK + 1, -1), 1);
        CHECK_INT(fds[kind].revents, POLLIN);
        CHECK_INT(child_end(p), 0);
        make_unready(&t, kind);
    }
    CHECK(stats_now().rescued == 0);
    things_free(&t);
}

/* Others take what made it readable: whoever then finds nothing lowers it. */
static int takes_one(mp_child *self, void *user)
{
    char byte;

    CHECK(user == NULL);
    CHECK_OK(mp_queue_get(mp_child_queue(self, 0), &byte, 1, NULL, NULL, MP_FOREVER));
    return 0;
}

TEST(wait, descriptor_of_what_another_process_takes)
{
    mp_queue *q;
    mp_process *p;
    struct pollfd fd;
    char byte;
    int round;

    CHECK_OK(mp_queue_new(&q, NULL));
    CHECK_OK(mp_descriptor(q, &fd.fd));
    fd.events = POLLIN;
    for (round = 0; round < 5; round++) {
        CHECK_OK(mp_queue_put(q, "x", 1, MP_FOREVER));
        CHECK_INT(poll(&fd, 1, -1), 1);
        p = CHILD_START(takes_one, q);
        CHECK_INT(child_end(p), 0);
        CHECK_STATUS(mp_queue_get(q, &byte, 1, NULL, NULL, MP_NO_WAIT), MP_ERR_EMPTY);
        CHECK(!readable(fd.fd));
    }
    CHECK_OK(mp_queue_free(q));
}

static int asks_anew(void *queue)
{
    struct pollfd fd;
    char byte;

    /* The parent's is not touched by what happens here. */
    CHECK_OK(mp_queue_put(queue, "y", 1, MP_FOREVER));
    CHECK_OK(mp_queue_get(queue, &byte, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_descriptor(queue, &fd.fd));
    fd.events = POLLIN;
    CHECK(!readable(fd.fd));
    CHECK_OK(mp_queue_put(queue, "z", 1, MP_FOREVER));
    CHECK_INT(poll(&fd, 1, -1), 1);
    CHECK_OK(mp_queue_get(queue, &byte, 1, NULL, NULL, MP_NO_WAIT));
    CHECK(!readable(fd.fd));
    CHECK_OK(mp_queue_put(queue, "!", 1, MP_FOREVER));
    return 0;
}

TEST(wait, a_forked_child_has_descriptors_of_its_own)
{
    mp_queue *q;
    struct pollfd fd;
    char byte;
    int round;

    CHECK_OK(mp_queue_new(&q, NULL));
    CHECK_OK(mp_descriptor(q, &fd.fd));
    fd.events = POLLIN;
    for (round = 0; round < 5; round++) {
        CHECK_INT(in_fork(asks_anew, q), 0);
        CHECK_INT(poll(&fd, 1, -1), 1);
        CHECK_OK(mp_queue_get(q, &byte, 1, NULL, NULL, MP_NO_WAIT));
        CHECK(byte == '!' && !readable(fd.fd));
    }
    CHECK_OK(mp_queue_free(q));
}

/* Thousands of descriptors, and one thread; none is left when the last is freed. */
TEST_T(wait, a_thousand_descriptors, 60)
{
    enum { MANY = 1000 };
    mp_event *events[MANY];
    struct pollfd fds[MANY];
    int i, round, before = open_descriptors();
    rng r = rng_new();

    for (i = 0; i < MANY; i++) {
        mp_status s;

        CHECK_OK(mp_event_new(&events[i], NULL));
        s = mp_descriptor(events[i], &fds[i].fd);
        if (s == MP_ERR_OS && i > 100) {
            CHECK_OK(mp_event_free(events[i]));
            break;
        }
        CHECK_OK(s);
        fds[i].events = POLLIN;
    }
    for (round = 0; round < 100; round++) {
        int one = (int)rng_below(&r, (uint64_t)i);

        CHECK_OK(mp_event_set(events[one]));
        CHECK_INT(poll(fds, (nfds_t)i, -1), 1);
        CHECK_INT(fds[one].revents, POLLIN);
        CHECK_OK(mp_event_clear(events[one]));
        CHECK(!readable(fds[one].fd));
    }
    while (i-- > 0)
        CHECK_OK(mp_event_free(events[i]));
    CHECK_INT(open_descriptors(), before);
}

/* Without a descriptor to be had: a status, and all is as it was. */
TEST(wait, no_descriptor_left)
{
    mp_event *e;
    mp_wait_item items[2];
    int ends[2], fd;

    CHECK_OK(mp_event_new(&e, NULL));
    CHECK(pipe(ends) == 0);
    items[0] = item(e, -1);
    items[1] = item(NULL, ends[0]);
    fill_descriptors(0);
    CHECK_STATUS(mp_descriptor(e, &fd), MP_ERR_OS);
    CHECK_STATUS(mp_wait(items, 2, NULL, MP_FOREVER), MP_ERR_OS);
    /* Things alone need none. */
    CHECK_STATUS(mp_wait(items, 1, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
    release_descriptors();
    CHECK_OK(mp_descriptor(e, &fd));
    CHECK_STATUS(mp_wait(items, 2, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
    close(ends[0]);
    close(ends[1]);
    CHECK_OK(mp_event_free(e));
}

/* Objects with names lie in segments of their own, each with its own bells. */
TEST(wait, things_with_names)
{
    mp_event_options options = MP_EVENT_OPTIONS;
    char name[64];
    mp_event *named, *plain, *other;
    mp_wait_item items[2];
    struct pollfd fd;
    int round;

    snprintf(name, sizeof name, "mp-test-wait-%d", (int)getpid());
    options.name = name;
    CHECK_OK(mp_event_new(&named, &options));
    CHECK_OK(mp_event_new(&other, &options));
    CHECK_OK(mp_event_new(&plain, NULL));
    items[0] = item(named, -1);
    items[1] = item(plain, -1);
    CHECK_OK(mp_descriptor(named, &fd.fd));
    fd.events = POLLIN;
    for (round = 0; round < 20; round++) {
        CHECK_STATUS(mp_wait(items, 2, NULL, MP_MS(1)), MP_ERR_TIMEOUT);
        CHECK_OK(mp_event_set(other));
        CHECK_OK(mp_wait(items, 2, NULL, MP_FOREVER));
        CHECK(items[0].ready && !items[1].ready);
        CHECK_INT(poll(&fd, 1, -1), 1);
        CHECK_OK(mp_event_clear(named));
        CHECK(!readable(fd.fd));
    }
    CHECK_OK(mp_name_unlink(name));
    CHECK_OK(mp_event_free(named));
    CHECK_OK(mp_event_free(other));
    CHECK_OK(mp_event_free(plain));
}
