/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Processes that are no relatives of a test: this program, run again in a session of its own. */
#include "test_names.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROLE "MP_TEST_STRANGER_ROLE"
#define NAME "MP_TEST_STRANGER_NAME"
#define MORE "MP_TEST_STRANGER_MORE"

static pid_t first_process;

__attribute__((constructor)) static void remember_first(void)
{
    first_process = getpid();
}

const char *name_of(const char *what)
{
    static char names[8][NAME_SIZE];
    static int next;
    char *name = names[next++ % 8];

    snprintf(name, NAME_SIZE, "test-%ld-%s", (long)first_process, what);
    return name;
}

const char *name_path(const char *name)
{
    static char paths[8][PATH_SIZE];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_SIZE, "/dev/shm/mp.%ld.%s", (long)geteuid(), name);
    return path;
}

bool name_exists(const char *name)
{
    return access(name_path(name), F_OK) == 0;
}

int name_open(mp_lock **l, const char *name, int how)
{
    mp_lock_options o = MP_LOCK_OPTIONS;

    o.name = name;
    o.open = how;
    return mp_lock_new(l, &o);
}

mp_lock *name_lock(const char *name, int how)
{
    mp_lock *l;

    CHECK_OK(name_open(&l, name, how));
    return l;
}

stranger stranger_start(const char *role, const char *name, const char *more)
{
    int to[2], from[2];
    stranger s;

    CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    s.pid = fork();
    CHECK(s.pid >= 0);
    if (s.pid == 0) {
        setsid();
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        setenv(ROLE, role, 1);
        setenv(NAME, name, 1);
        setenv(MORE, more, 1);
        execl("/proc/self/exe", "run", "--run", "names.stranger", "--start", test_start_method(),
              (char *)NULL);
        _exit(99);
    }
    close(to[0]);
    close(from[1]);
    s.to = to[1];
    s.from = from[0];
    return s;
}

void stranger_ready(const stranger *s)
{
    char c;

    CHECK(read(s->from, &c, 1) == 1);
}

static int stranger_wait(stranger *s)
{
    int status;

    close(s->from);
    CHECK_INT(waitpid(s->pid, &status, 0), s->pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int stranger_end(stranger *s)
{
    close(s->to);
    return stranger_wait(s);
}

void stranger_kill(stranger *s)
{
    CHECK(kill(s->pid, SIGKILL) == 0);
    close(s->to);
    CHECK_INT(stranger_wait(s), -SIGKILL);
}

/* ---- what strangers do ---- */

void role_says_ready(void)
{
    char c = 'r';

    CHECK(write(STDOUT_FILENO, &c, 1) == 1);
}

void role_waits_for_end(void)
{
    char c;

    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
}

static void hold(const char *name, const char *how)
{
    mp_lock *l = name_lock(name, atoi(how));

    CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
    role_says_ready();
    role_waits_for_end();
    CHECK_OK(mp_lock_release(l));
    CHECK_OK(mp_lock_free(l));
}

/* Has it open, and does nothing with it. */
static void keep_open(const char *name, const char *how)
{
    mp_lock *l = name_lock(name, atoi(how));

    role_says_ready();
    role_waits_for_end();
    CHECK_OK(mp_lock_free(l));
}

/* Adds to a number in a file, in two steps that need the lock. */
static void add(const char *name, const char *file)
{
    mp_lock *l = name_lock(name, MP_OPEN_OR_CREATE);
    int fd = open(file, O_RDWR | O_CLOEXEC), i;
    volatile long *number = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    CHECK(number != MAP_FAILED);
    close(fd);
    role_says_ready();
    for (i = 0; i < 20000; i++) {
        long x;

        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        x = *number;
        *number = x + 1;
        CHECK_OK(mp_lock_release(l));
    }
    CHECK_OK(mp_lock_free(l));
    CHECK(munmap((void *)number, 4096) == 0);
}

/* Takes part in a barrier, an event and a condition with whoever has the same names. */
static void meet(const char *name, const char *rounds)
{
    meeting m = meeting_open(name);
    int i;

    role_says_ready();
    for (i = 0; i < atoi(rounds); i++)
        meeting_round(&m, false);
    meeting_free(&m);
}

static void hold_array(const char *name)
{
    mp_array *a;

    CHECK_OK(name_array(&a, name, MP_OPEN_ATTACH, MP_INT64, 4));
    CHECK_OK(mp_array_acquire(a, MP_FOREVER));
    CHECK_OK(mp_array_set_int(a, 3, 11));
    role_says_ready();
    role_waits_for_end();
}

/* Counts in each item of an array, in two steps that need the lock. */
static void count(const char *name, const char *guard)
{
    enum { ITEMS = 5000, ROUNDS = 40 };
    mp_lock *l = name_lock(guard, MP_OPEN_OR_CREATE);
    mp_array *a;
    void *data;
    volatile int64_t *items;
    int round, i;

    CHECK_OK(name_array(&a, name, MP_OPEN_OR_CREATE, MP_INT64, ITEMS));
    CHECK_OK(mp_array_data(a, &data, NULL));
    items = data;
    role_says_ready();
    for (round = 0; round < ROUNDS; round++) {
        CHECK_OK(mp_lock_acquire(l, MP_FOREVER));
        for (i = 0; i < ITEMS; i++) {
            int64_t x = items[i];

            items[i] = x + 1;
        }
        CHECK_OK(mp_lock_release(l));
    }
    role_waits_for_end();
    CHECK_OK(mp_array_free(a));
    CHECK_OK(mp_lock_free(l));
}

/* Turns every byte of shared memory over and stores in a list, as the creator of both expects. */
static void change(const char *memory, const char *list)
{
    mp_item yes = {.kind = MP_ITEM_BOOL, .boolean = true};
    mp_item there = {.kind = MP_ITEM_TEXT, .data = "from there", .data_size = 10};
    mp_item half = {.kind = MP_ITEM_DOUBLE, .number = -0.5}, item;
    mp_shared_memory *m;
    mp_shareable_list *l;
    unsigned char *byte;
    size_t size, i;
    char text[32];
    void *data;

    CHECK_OK(name_memory(&m, memory, MP_OPEN_ATTACH, 0));
    CHECK_OK(name_list(&l, list, MP_OPEN_ATTACH, NULL, 0));
    CHECK_OK(mp_shared_memory_data(m, &data, &size));
    byte = data;
    for (i = 0; i < size; i++) {
        CHECK_INT(byte[i], (unsigned char)(i * 7));
        byte[i] = (unsigned char)~byte[i];
    }
    CHECK_OK(mp_shareable_list_get(l, 0, &item, NULL, 0));
    CHECK_INT(item.integer, 5);
    CHECK_OK(mp_shareable_list_get(l, 1, &item, text, sizeof text));
    check_same_text(text, "from here");
    CHECK_OK(mp_shareable_list_set(l, 0, &yes));
    CHECK_OK(mp_shareable_list_set(l, 1, &there));
    CHECK_OK(mp_shareable_list_set(l, 2, &half));
    role_says_ready();
    role_waits_for_end();
    CHECK_INT(byte[size - 1], 77);
    byte[0] = 79;
    CHECK_OK(mp_shareable_list_get(l, 2, &item, NULL, 0));
    CHECK(item.kind == MP_ITEM_INT && item.integer == 78);
    CHECK_OK(mp_shared_memory_free(m));
    CHECK_OK(mp_shareable_list_free(l));
}

/* Acquires an RLock three times, releases it once for each byte, and no more often. */
static void hold_rlock(const char *name)
{
    mp_rlock_options o = MP_RLOCK_OPTIONS;
    mp_rlock *r;
    int i;
    char c;

    o.name = name;
    o.open = MP_OPEN_ATTACH;
    CHECK_OK(mp_rlock_new(&r, &o));
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    for (i = 0; i < 3; i++)
        CHECK_OK(mp_rlock_acquire(r, MP_FOREVER));
    role_says_ready();
    for (i = 0; i < 3; i++) {
        CHECK(read(STDIN_FILENO, &c, 1) == 1);
        CHECK_OK(mp_rlock_release(r));
        role_says_ready();
    }
    role_waits_for_end();
    CHECK_STATUS(mp_rlock_release(r), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_rlock_acquire(r, MP_NO_WAIT), MP_ERR_TIMEOUT);
    CHECK_OK(mp_rlock_free(r));
}

meeting meeting_open(const char *name)
{
    mp_barrier_options b = MP_BARRIER_OPTIONS;
    mp_condition_options c = MP_CONDITION_OPTIONS;
    mp_event_options e = MP_EVENT_OPTIONS;
    mp_semaphore_options s = MP_SEMAPHORE_OPTIONS;
    char names[4][NAME_SIZE];
    meeting m;
    int i;

    for (i = 0; i < 4; i++)
        snprintf(names[i], NAME_SIZE, "%.50s-%d", name, i);
    b.name = names[0];
    c.name = names[1];
    e.name = names[2];
    s.name = names[3];
    CHECK_OK(mp_barrier_new(&m.barrier, 2, &b));
    CHECK_OK(mp_condition_new(&m.condition, &c));
    CHECK_OK(mp_event_new(&m.event, &e));
    CHECK_OK(mp_semaphore_new(&m.semaphore, 0, &s));
    return m;
}

/* One side waits for the other at each of the four. */
void meeting_round(meeting *m, bool leads)
{
    size_t index;

    CHECK_OK(mp_barrier_wait(m->barrier, MP_FOREVER, &index));
    CHECK(index < 2);
    if (leads) {
        CHECK_OK(mp_condition_acquire(m->condition, MP_FOREVER));
        CHECK_OK(mp_semaphore_release(m->semaphore, 1));
        CHECK_OK(mp_condition_wait(m->condition, MP_FOREVER));
        CHECK_OK(mp_condition_release(m->condition));
        CHECK_OK(mp_event_set(m->event));
    } else {
        CHECK_OK(mp_semaphore_acquire(m->semaphore, MP_FOREVER));
        /* Whoever gets the lock now knows that the other one waits. */
        CHECK_OK(mp_condition_acquire(m->condition, MP_FOREVER));
        CHECK_OK(mp_condition_notify(m->condition, 1));
        CHECK_OK(mp_condition_release(m->condition));
        CHECK_OK(mp_event_wait(m->event, MP_FOREVER));
        CHECK_OK(mp_event_clear(m->event));
    }
}

void meeting_free(meeting *m)
{
    CHECK_OK(mp_barrier_free(m->barrier));
    CHECK_OK(mp_condition_free(m->condition));
    CHECK_OK(mp_event_free(m->event));
    CHECK_OK(mp_semaphore_free(m->semaphore));
}

TEST_COLD(names, stranger)
{
    const char *role = getenv(ROLE), *name = getenv(NAME), *more = getenv(MORE);
    mp_lock *l;

    if (role == NULL)
        CHECK_STATUS(name_open(&l, name_of("nobody"), MP_OPEN_ATTACH), MP_ERR_NOT_FOUND);
    else if (strcmp(role, "hold") == 0)
        hold(name, more);
    else if (strcmp(role, "keep") == 0)
        keep_open(name, more);
    else if (strcmp(role, "add") == 0)
        add(name, more);
    else if (strcmp(role, "hold-array") == 0)
        hold_array(name);
    else if (strcmp(role, "count") == 0)
        count(name, more);
    else if (strcmp(role, "change") == 0)
        change(name, more);
    else if (strcmp(role, "hold-rlock") == 0)
        hold_rlock(name);
    else if (strcmp(role, "meet") == 0)
        meet(name, more);
    else
        CHECK(role_of_queues(role, name, more) || role_of_managers(role, name, more));
}
