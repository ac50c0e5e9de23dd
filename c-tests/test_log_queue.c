/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Logging of many processes through a queue to one of them. */
#include "test_util.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the sink heard, a line each. */
static char heard[1 << 13];
static int records, last_pid;

static void hears(const mp_log_record *r, void *user)
{
    char text[256];

    CHECK(r->size == sizeof *r && r->time > (int64_t)1500000000 * 1000000000 && user == heard);
    snprintf(text, sizeof text, "%s/%s/%s\n", r->level_name, r->process_name, r->message);
    strncat(heard, text, sizeof heard - strlen(heard) - 1);
    last_pid = r->pid;
    records++;
}

static mp_queue *queue_new(size_t maxsize)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;
    mp_queue *queue;

    o.maxsize = maxsize;
    CHECK_OK(mp_queue_new(&queue, &o));
    return queue;
}

/* Lets go of the queue, and hears what is in it. */
static void hear_all(mp_queue *queue)
{
    CHECK_OK(mp_log_to_queue(NULL));
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_queue_free(queue));
}

TEST(log_queue, records_in_their_order)
{
    mp_queue *queue = queue_new(0);
    size_t size;

    CHECK(!mp_log_enabled(MP_LOG_CRITICAL));
    CHECK_OK(mp_log_to_queue(queue));
    CHECK(mp_log_enabled(MP_LOG_WARNING) && !mp_log_enabled(MP_LOG_INFO));
    CHECK_OK(mp_log_write(MP_LOG_WARNING, "one"));
    CHECK_OK(mp_log_write(MP_LOG_INFO, "not loud enough"));
    CHECK_OK(mp_log_write(77, ""));
    CHECK_OK(mp_queue_size(queue, &size));
    CHECK_INT(size, 2);
    hear_all(queue);
    check_same_text(heard, "WARNING/MainProcess/one\nLevel 77/MainProcess/\n");
    CHECK_INT(last_pid, (int)getpid());
    CHECK(!mp_log_enabled(MP_LOG_CRITICAL));
}

/* The log's own handle keeps the queue, so that a child can have it, and another queue takes its place. */
TEST(log_queue, handle_may_be_freed)
{
    mp_queue *queue = queue_new(0), *other;
    mp_stats before = stats_now();

    CHECK_OK(mp_log_to_queue(queue));
    CHECK_OK(mp_queue_free(queue));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "still there"));
    CHECK_INT(stats_now().blocks, before.blocks);
    other = queue_new(0);
    CHECK_OK(mp_log_to_queue(other));
    CHECK_INT(stats_now().blocks, before.blocks);
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "in the other one"));
    hear_all(other);
    check_same_text(heard, "ERROR/MainProcess/in the other one\n");
}

static int logs(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_INT(mp_log_get_level(), MP_LOG_INFO);
    CHECK_OK(mp_log_write(MP_LOG_INFO, "in the child"));
    return child_number(self, 0);
}

TEST(log_queue, children_put_theirs_there)
{
    mp_queue *queue = queue_new(0);
    mp_process *p;
    int pid;

    CHECK_OK(mp_log_to_queue(queue));
    CHECK_OK(mp_log_set_level(MP_LOG_INFO));
    CHECK_OK(mp_process_new(&p, logs, NULL, NULL));
    child_add_number(p, 3);
    CHECK_OK(mp_process_start(p));
    pid = child_pid(p);
    CHECK_INT(child_end(p), 3);
    hear_all(queue);
    check_same_text(heard, "INFO/Process-1/child process calling self.run()\n"
                           "INFO/Process-1/in the child\n"
                           "INFO/Process-1/process shutting down\n"
                           "INFO/Process-1/process exiting with exitcode 3\n");
    CHECK_INT(last_pid, pid);
}

static int logs_alone(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "grandchild"));
    return 0;
}

static int starts_one_that_logs(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "child"));
    return child_end(CHILD_START(logs_alone, NULL));
}

TEST(log_queue, grandchildren_do)
{
    mp_queue *queue = queue_new(0);

    CHECK_OK(mp_log_to_queue(queue));
    CHECK_INT(child_end(CHILD_START(starts_one_that_logs, NULL)), 0);
    hear_all(queue);
    check_same_text(heard, "ERROR/Process-1/child\nERROR/Process-1:1/grandchild\n");
}

static void task_logs(mp_task *task, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_log_write(MP_LOG_WARNING, mp_task_input(task, NULL)));
}

TEST(log_queue, workers_do)
{
    mp_pool_options o = MP_POOL_OPTIONS;
    mp_queue *queue = queue_new(0);
    mp_pool *pool;

    o.workers = 1;
    o.name = "w";
    CHECK_OK(mp_log_to_queue(queue));
    CHECK_OK(mp_pool_new(&pool, &o));
    CHECK_OK(mp_pool_apply(pool, task_logs, NULL, "at work", 8, NULL, NULL));
    CHECK_OK(mp_pool_free(pool));
    hear_all(queue);
    check_same_text(heard, "WARNING/w-1/at work\n");
}

TEST(log_queue, never_waits_for_room)
{
    mp_queue *queue = queue_new(2);

    CHECK_OK(mp_log_to_queue(queue));
    CHECK_OK(mp_log_write(MP_LOG_WARNING, "one"));
    CHECK_OK(mp_log_write(MP_LOG_WARNING, "two"));
    CHECK_OK(mp_log_write(MP_LOG_WARNING, "three"));
    hear_all(queue);
    check_same_text(heard, "WARNING/MainProcess/one\nWARNING/MainProcess/two\n");
}

TEST(log_queue, statuses)
{
    mp_queue *queue = queue_new(0);
    mp_lock *lock = lock_new();
    char text[64] = {0};

    CHECK_STATUS(mp_log_to_queue((mp_queue *)lock), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_log_listen(NULL, hears, heard, MP_NO_WAIT), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_MS(1)), MP_ERR_TIMEOUT);
    /* What is no record. */
    CHECK_OK(mp_queue_put(queue, NULL, 0, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(queue, text, sizeof text, MP_NO_WAIT));
    memset(text, 0x55, sizeof text);
    CHECK_OK(mp_queue_put(queue, text, sizeof text, MP_NO_WAIT));
    CHECK_OK(mp_log_to_queue(queue));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "behind it"));
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_FOREVER), MP_ERR_INVALID);
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_FOREVER), MP_ERR_INVALID);
    /* The ends of it. */
    CHECK_OK(mp_queue_put_none(queue, MP_FOREVER));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "after none"));
    CHECK_OK(mp_log_listen(queue, hears, heard, MP_FOREVER));
    check_same_text(heard, "ERROR/MainProcess/behind it\n");
    CHECK_OK(mp_queue_shutdown(queue, false));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "nobody hears it"));
    CHECK_OK(mp_log_listen(queue, hears, heard, MP_FOREVER));
    check_same_text(heard, "ERROR/MainProcess/behind it\nERROR/MainProcess/after none\n");
    CHECK_OK(mp_log_to_queue(NULL));
    CHECK_OK(mp_queue_close(queue));
    CHECK_STATUS(mp_log_listen(queue, hears, heard, MP_FOREVER), MP_ERR_CLOSED);
    CHECK_OK(mp_queue_free(queue));
    CHECK_OK(mp_lock_free(lock));
}

static void hears_here(const mp_log_record *r, void *user)
{
    CHECK(user == NULL);
    hears(r, heard);
}

TEST(log_queue, listener_without_a_sink_uses_this_processs)
{
    mp_queue *queue = queue_new(0);

    CHECK_OK(mp_log_to_queue(queue));
    CHECK_OK(mp_log_write(MP_LOG_ERROR, "one"));
    CHECK_OK(mp_log_to_queue(NULL));
    CHECK_OK(mp_log_set_sink(hears_here, NULL));
    CHECK_OK(mp_log_set_level(MP_LOG_OFF));
    CHECK_STATUS(mp_log_listen(queue, NULL, NULL, MP_NO_WAIT), MP_ERR_TIMEOUT);
    check_same_text(heard, "ERROR/MainProcess/one\n");
    CHECK_OK(mp_log_set_sink(NULL, NULL));
    CHECK_OK(mp_queue_free(queue));
}

/* ---- many, some of which are killed ---- */

enum { WRITERS = 4, EACH = 300 };

static int logs_much(mp_child *self, void *user)
{
    char text[100];
    int i;

    CHECK(user == NULL);
    for (i = 0; i < EACH; i++) {
        snprintf(text, sizeof text, "%d %d", child_number(self, 0), i);
        CHECK_OK(mp_log_write(MP_LOG_ERROR, text));
    }
    return 0;
}

static int next_of[WRITERS];

static void counts(const mp_log_record *r, void *user)
{
    int writer, i;

    CHECK(user == next_of && sscanf(r->message, "%d %d", &writer, &i) == 2);
    CHECK(writer >= 0 && writer < WRITERS && i == next_of[writer]);
    next_of[writer]++;
}

static void *listens(void *queue)
{
    CHECK_OK(mp_log_listen(queue, counts, next_of, MP_FOREVER));
    return NULL;
}

TEST(log_queue, many_writers_lose_nothing)
{
    mp_queue *queue = queue_new(0);
    mp_process *writer[WRITERS];
    pthread_t thread;
    int i;

    CHECK_OK(mp_log_to_queue(queue));
    for (i = 0; i < WRITERS; i++) {
        CHECK_OK(mp_process_new(&writer[i], logs_much, NULL, NULL));
        child_add_number(writer[i], i);
        CHECK_OK(mp_process_start(writer[i]));
    }
    CHECK(pthread_create(&thread, NULL, listens, queue) == 0);
    for (i = 0; i < WRITERS; i++)
        CHECK_INT(child_end(writer[i]), 0);
    CHECK_OK(mp_log_to_queue(NULL));
    CHECK_OK(mp_queue_put_none(queue, MP_FOREVER));
    CHECK(pthread_join(thread, NULL) == 0);
    for (i = 0; i < WRITERS; i++)
        CHECK_INT(next_of[i], EACH);
    CHECK_OK(mp_queue_free(queue));
}

static int logs_for_ever(mp_child *self, void *user)
{
    CHECK(mp_child_count(self) == 0 && user == NULL);
    for (;;)
        CHECK_OK(mp_log_write(MP_LOG_ERROR, "a record that is whole"));
    return 0;
}

static void is_whole(const mp_log_record *r, void *user)
{
    CHECK(user == &records && strcmp(r->message, "a record that is whole") == 0);
    records++;
}

TEST(log_queue, killed_writers_leave_whole_records)
{
    mp_queue *queue = queue_new(100);
    mp_process *p;
    int i, before;

    CHECK_OK(mp_log_to_queue(queue));
    for (i = 0; i < 20; i++) {
        p = CHILD_START(logs_for_ever, NULL);
        before = records;
        while (records == before)
            CHECK(mp_log_listen(queue, is_whole, &records, MP_NO_WAIT) == MP_ERR_TIMEOUT);
        CHECK_OK(mp_process_kill(p));
        CHECK_INT(child_end(p), -SIGKILL);
    }
    CHECK_OK(mp_log_to_queue(NULL));
    CHECK_STATUS(mp_log_listen(queue, is_whole, &records, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_queue_free(queue));
}
