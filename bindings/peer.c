/* The other end of every binding's test: a program in C, and the executable of the pools' workers.
 *
 * peer echo NAME    sends each message of the queue NAME-in back through NAME-out, its bytes reversed
 * peer lock NAME    holds the lock NAME, says so, and has to be killed
 * peer event NAME   waits for a line on stdin, and sets the event NAME */
#include <mp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- for the workers ---- */

static void cube(mp_task *task, void *user)
{
    size_t len;
    const void *input = mp_task_input(task, &len);
    int64_t x;

    (void)user;
    if (len != sizeof x) {
        mp_task_fail(task, "cube takes 8 bytes");
        return;
    }
    memcpy(&x, input, sizeof x);
    x = x * x * x;
    mp_task_return(task, &x, sizeof x);
}

static void die(mp_task *task, void *user)
{
    (void)task;
    (void)user;
    raise(SIGKILL);
}

static void sleeps(mp_task *task, void *user)
{
    (void)user;
    while (!mp_task_cancelled(task))
        usleep(1000);
}

/* ---- roles ---- */

static void check(int status)
{
    if (status < 0) {
        fprintf(stderr, "peer: %s\n", mp_last_error());
        exit(1);
    }
}

static mp_queue *queue_of(const char *name, const char *end)
{
    mp_queue_options o = MP_QUEUE_OPTIONS;
    char full[200];
    mp_queue *queue;

    snprintf(full, sizeof full, "%s-%s", name, end);
    o.name = full;
    check(mp_queue_new(&queue, &o));
    return queue;
}

static void echo(const char *name)
{
    mp_queue *in = queue_of(name, "in"), *out = queue_of(name, "out");
    const unsigned char *from;
    unsigned char *to;
    mp_buffer *buffer;
    size_t len, i;
    void *place;

    for (;;) {
        check(mp_queue_get_buffer(in, &buffer, MP_SEC(60)));
        if (buffer == NULL)
            break;
        from = mp_buffer_data(buffer, &len);
        check(mp_queue_reserve(out, len, &place));
        to = place;
        for (i = 0; i < len; i++)
            to[i] = from[len - 1 - i];
        check(mp_queue_commit(out, place, len, MP_SEC(60)));
        check(mp_buffer_free(buffer));
    }
    check(mp_queue_put_none(out, MP_SEC(60)));
    check(mp_queue_free(in));
    check(mp_queue_free(out));
}

static void hold(const char *name)
{
    mp_lock_options o = MP_LOCK_OPTIONS;
    mp_lock *lock;

    o.name = name;
    check(mp_lock_new(&lock, &o));
    check(mp_lock_acquire(lock, MP_SEC(60)));
    puts("held");
    fflush(stdout);
    sleep(60);
}

static void set(const char *name)
{
    mp_event_options o = MP_EVENT_OPTIONS;
    mp_event *event;

    o.name = name;
    check(mp_event_new(&event, &o));
    if (getchar() != EOF)
        check(mp_event_set(event));
    check(mp_event_free(event));
}

int main(int argc, char **argv)
{
    check(mp_register_target("cube", (mp_function)cube));
    check(mp_register_target("die", (mp_function)die));
    check(mp_register_target("sleeps", (mp_function)sleeps));
    check(mp_bootstrap(argc, argv));
    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        echo(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "lock") == 0)
        hold(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "event") == 0)
        set(argv[2]);
    else
        return fprintf(stderr, "usage: peer echo|lock|event NAME\n"), 2;
    return 0;
}
