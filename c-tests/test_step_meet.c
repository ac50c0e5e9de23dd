/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two threads of a process use, free and make the same things at the same time. See step.h. */
#include "step.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a handle that one thread frees while the other uses it ---- */

static mp_lock *lock;
static mp_value *value;
static mp_array *array;
static mp_queue *queue;
static mp_buffer *buffer;
static mp_process *process;
static mp_pool *pool;

static void make_all(void)
{
    lock = lock_new();
    value = flag_new();
    CHECK_OK(mp_array_new(&array, MP_INT64, 100, NULL, NULL));
    CHECK_OK(mp_queue_new(&queue, NULL));
    CHECK_OK(mp_queue_put(queue, "a message", 9, MP_NO_WAIT));
    CHECK_OK(mp_queue_get_buffer(queue, &buffer, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(queue, "a message", 9, MP_NO_WAIT));
}

/* Whoever comes too late is told; a call that is in the queue already may find nothing there. */
static int may_be_freed(int status)
{
    CHECK(status == MP_OK || status == MP_ERR_BAD_HANDLE || status == MP_ERR_STATE);
    return status;
}

static void free_all(void)
{
    may_be_freed(CHECK_CLEAN(mp_lock_free(lock)));
    may_be_freed(CHECK_CLEAN(mp_value_free(value)));
    may_be_freed(CHECK_CLEAN(mp_array_free(array)));
    may_be_freed(CHECK_CLEAN(mp_queue_free(queue)));
    may_be_freed(CHECK_CLEAN(mp_buffer_free(buffer)));
}

static int use_lock(void)
{
    int s = may_be_freed(CHECK_CLEAN(mp_lock_acquire(lock, MP_NO_WAIT)));

    return s < 0 ? s : may_be_freed(CHECK_CLEAN(mp_lock_release(lock)));
}

MEETING(lock_used_and_freed, 1500, nothing, make_all, use_lock, free_all, free_all)

static int use_value(void)
{
    int64_t x;

    may_be_freed(CHECK_CLEAN(mp_value_set_int(value, 4)));
    may_be_freed(CHECK_CLEAN(mp_value_fetch_add(value, 4, &x)));
    return may_be_freed(CHECK_CLEAN(mp_array_set_int(array, 99, 4)));
}

MEETING(value_used_and_freed, 2500, nothing, make_all, use_value, free_all, free_all)

static int use_queue(void)
{
    static char bytes[50000];
    size_t len;

    may_be_freed(CHECK_CLEAN(mp_queue_get(queue, bytes, sizeof bytes, &len, NULL, MP_NO_WAIT)));
    may_be_freed(CHECK_CLEAN(mp_queue_put(queue, bytes, 20, MP_NO_WAIT)));
    return may_be_freed(CHECK_CLEAN(mp_queue_put(queue, bytes, sizeof bytes, MP_NO_WAIT)));
}

MEETING(queue_used_and_freed, 3000, nothing, make_all, use_queue, free_all, free_all)

static int free_twice(void)
{
    free_all();
    return MP_OK;
}

MEETING(freed_by_both, 7500, nothing, make_all, free_twice, free_all, free_all)

/* ---- who has the last word frees what it was said through ---- */

/* As many as all blocks of a unit, of their size, wherever the search for a free one begins. */
enum { OTHERS = 1100, OTHER_WORDS = 112 };
static mp_value *others[OTHERS];
static mp_array *arrays[70];

/* What is made now may lie where the freed object was. Its words look as if somebody slept there. */
#define OTHER ((int64_t)1 << 56)

static void make_others(void)
{
    int64_t words[OTHER_WORDS];
    int i;

    for (i = 0; i < (int)COUNT(words); i++)
        words[i] = OTHER;
    for (i = 0; i < OTHERS; i++)
        CHECK_OK(mp_value_new(&others[i], MP_DOUBLE, NULL, NULL));
    for (i = 0; i < (int)COUNT(arrays); i++)
        CHECK_OK(mp_array_new(&arrays[i], MP_INT64, COUNT(words), words, NULL));
}

static void others_are_whole(void)
{
    int64_t x;
    double d;
    size_t i, k;

    for (i = 0; i < OTHERS && others[i] != NULL; i++) {
        CHECK_OK(mp_value_get_double(others[i], &d));
        CHECK(d == 0);
        CHECK_OK(mp_value_free(others[i]));
    }
    for (i = 0; i < COUNT(arrays) && arrays[i] != NULL; i++) {
        for (k = 0; k < OTHER_WORDS; k++) {
            CHECK_OK(mp_array_get_int(arrays[i], k, &x));
            CHECK_INT(x, OTHER);
        }
        CHECK_OK(mp_array_free(arrays[i]));
    }
}

static void make_held_lock(void)
{
    lock = lock_new();
    CHECK_OK(mp_lock_acquire(lock, MP_NO_WAIT));
}

static int release_lock(void)
{
    return mp_lock_release(lock);
}

static void acquire_and_free(void)
{
    if (mp_lock_acquire(lock, MP_NO_WAIT) != MP_OK)
        return;
    CHECK_OK(mp_lock_free(lock));
    make_others();
}

MEETING(lock_freed_by_its_next_holder, 0, nothing, make_held_lock, release_lock, acquire_and_free,
        others_are_whole)

static void make_queue(void)
{
    mp_queue_options o = {.size = sizeof o, .ring = 1024};

    CHECK_OK(mp_queue_new(&queue, &o));
}

static int put_the_last_word(void)
{
    return mp_queue_put(queue, "done", 5, MP_NO_WAIT);
}

static void get_it_and_free(void)
{
    char bytes[5];

    if (mp_queue_get(queue, bytes, sizeof bytes, NULL, NULL, MP_NO_WAIT) != MP_OK)
        return;
    CHECK_OK(mp_queue_free(queue));
    make_others();
}

static void make_queue_of_one(void)
{
    make_queue();
    CHECK_INT(put_the_last_word(), MP_OK);
}

static int get_the_last_word(void)
{
    char bytes[5];

    return mp_queue_get(queue, bytes, sizeof bytes, NULL, NULL, MP_NO_WAIT);
}

static void free_if_empty(void)
{
    bool empty;

    CHECK_OK(mp_queue_empty(queue, &empty));
    if (!empty)
        return;
    CHECK_OK(mp_queue_free(queue));
    make_others();
}

MEETING(queue_freed_by_its_producer, 0, nothing, make_queue_of_one, get_the_last_word, free_if_empty,
        others_are_whole)
MEETING(queue_freed_by_its_consumer, 0, nothing, make_queue, put_the_last_word, get_it_and_free,
        others_are_whole)

/* ---- objects are made by both ---- */

static void make_and_free(void)
{
    mp_array *a;
    mp_lock *l = lock_new();
    mp_value *v = flag_new();

    CHECK_OK(mp_array_new(&a, MP_UINT8, 100000, NULL, NULL));
    flag_set(v, 5);
    CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
    CHECK_OK(mp_array_set_int(a, 99999, 1));
    CHECK_INT(flag_get(v), 5);
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_lock_free(l));
}

static int make_and_free_once(void)
{
    make_and_free();
    return MP_OK;
}

MEETING(objects_made_by_both, 6000, nothing, make_and_free, make_and_free_once, make_and_free, make_and_free)
MEETING(first_use_by_both, 25000, nothing, NULL, make_and_free_once, make_and_free, make_and_free)

/* ---- a fork by the host while objects are made ---- */

static void forks(void)
{
    pid_t child = fork();
    int status;

    CHECK(child >= 0);
    if (child == 0) {
        make_and_free();
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

MEETING(fork_while_objects_are_made, 6000, nothing, make_and_free, make_and_free_once, forks, make_and_free)
MEETING(fork_in_the_first_use, 25000, nothing, NULL, make_and_free_once, forks, make_and_free)

/* ---- processes ---- */

static int ends(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    return 3;
}

static void start_and_join(void)
{
    mp_process *p;
    int code;

    CHECK_OK(mp_process_new(&p, ends, NULL, NULL));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, 3);
    CHECK_OK(mp_process_free(p));
}

static int start_and_join_once(void)
{
    start_and_join();
    return MP_OK;
}

MEETING(processes_started_by_both, 10000, nothing, make_and_free, start_and_join_once, start_and_join,
        start_and_join)
MEETING(fork_while_a_process_is_started, 10000, nothing, make_and_free, start_and_join_once, forks,
        start_and_join)

static int started;

static void start_one(void)
{
    CHECK_OK(mp_process_new(&process, ends, NULL, NULL));
    CHECK_OK(mp_process_start(process));
    CHECK_OK(mp_process_pid(process, &started));
}

static void join_it(void)
{
    int code;

    CHECK_OK(mp_process_join(process, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(process, &code));
    CHECK_INT(code, 3);
}

static int join_it_too(void)
{
    join_it();
    return MP_OK;
}

static void free_it(void)
{
    CHECK_OK(mp_process_free(process));
}

MEETING(process_joined_by_both, 2500, nothing, start_one, join_it_too, join_it, free_it)

static int join_what_may_be_freed(void)
{
    int code;

    may_be_freed(CHECK_CLEAN(mp_process_join(process, MP_FOREVER)));
    return may_be_freed(CHECK_CLEAN(mp_process_exitcode(process, &code)));
}

/* One that runs is not freed. */
static void free_what_has_ended(void)
{
    CHECK(wait_until(gone, &started));
    free_it();
}

static void reap(void)
{
    CHECK_OK(mp_forkserver_stop());
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

MEETING(process_joined_and_freed, 2500, nothing, start_one, join_what_may_be_freed,
        free_what_has_ended, reap)

/* ---- pools ---- */

static void squares_one(mp_task *task, void *user)
{
    const int64_t *x = mp_task_input(task, NULL);
    int64_t y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

static void make_pool(void)
{
    mp_pool_options o = MP_POOL_OPTIONS;

    o.workers = 2;
    CHECK_OK(mp_pool_new(&pool, &o));
}

static int map_clean(void)
{
    int64_t in[20], out[20];
    int i, s;

    for (i = 0; i < 20; i++)
        in[i] = i;
    s = CHECK_CLEAN(
        mp_pool_map_array(pool, squares_one, NULL, in, sizeof *in, 20, out, sizeof *out, NULL));
    for (i = 0; i < 20 && s == MP_OK; i++)
        CHECK_INT(out[i], i * i);
    return s;
}

static void map_it(void)
{
    CHECK_OK(map_clean());
}

static int map_it_too(void)
{
    map_it();
    return MP_OK;
}

static void free_pool(void)
{
    CHECK_OK(mp_pool_free(pool));
}

/* No task is lost between two threads that map on one pool. */
MEETING(pool_mapped_by_both, 21000, nothing, make_pool, map_it_too, map_it, free_pool)

static int map_what_may_be_freed(void)
{
    int s = map_clean();

    /* STATE: it came after the pool had ended, and before its handle had. */
    CHECK(s == MP_OK || s == MP_ERR_BAD_HANDLE || s == MP_ERR_CANCELLED || s == MP_ERR_STATE);
    return s;
}

MEETING(pool_mapped_and_freed, 21000, nothing, make_pool, map_what_may_be_freed, free_pool, NULL)
