/* How fast things are on this machine: messages through a queue and a pipe, items of an array, a lock and a condition.
 * For a first impression; what measures libmp beside others is in benches/. */
#include <mp.h>
#include <stdio.h>
#include <time.h>

enum { MESSAGES = 100000, CALLS = 100000, TURNS = 2000 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void say(const char *what, int count, double began)
{
    printf("%s: %.0f a second\n", what, count / (now() - began));
}

static int putter(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    int i;

    (void)user;
    for (i = 0; i < MESSAGES; i++)
        if (mp_queue_put(queue, &i, sizeof i, MP_FOREVER) < 0)
            return failed();
    return 0;
}

static int sender(mp_child *self, void *user)
{
    mp_connection *pipe = mp_child_connection(self, 0);
    int i;

    (void)user;
    for (i = 0; i < MESSAGES; i++)
        if (mp_connection_send(pipe, &i, sizeof i, MP_FOREVER) < 0)
            return failed();
    return 0;
}

/* Answers each notification with one. The condition's lock says whose turn it is. */
static int answerer(mp_child *self, void *user)
{
    mp_condition *condition = mp_child_condition(self, 0);
    int i;

    (void)user;
    if (mp_condition_acquire(condition, MP_FOREVER) < 0 || mp_condition_notify(condition, 1) < 0)
        return failed();
    for (i = 0; i < TURNS; i++)
        if (mp_condition_wait(condition, MP_FOREVER) < 0 || mp_condition_notify(condition, 1) < 0)
            return failed();
    return mp_condition_release(condition) < 0 ? failed() : 0;
}

static int start(mp_process **child, mp_process_fn function, const void *handle)
{
    if (mp_process_new(child, function, NULL, NULL) < 0 || mp_process_add_handle(*child, handle) < 0 ||
        mp_process_start(*child) < 0)
        return failed();
    return 0;
}

static int end(mp_process *child)
{
    return mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0 ? failed() : 0;
}

static int queue_speed(void)
{
    mp_process *child;
    mp_queue *queue;
    double began = 0;
    int i, message;

    if (mp_queue_new(&queue, NULL) < 0)
        return failed();
    if (start(&child, putter, queue) != 0)
        return 1;
    for (i = 0; i < MESSAGES; i++) {
        if (mp_queue_get(queue, &message, sizeof message, NULL, NULL, MP_FOREVER) < 0)
            return failed();
        if (i == 0)
            began = now();
    }
    say("messages through a queue", MESSAGES, began);
    return end(child) != 0 || mp_queue_free(queue) < 0;
}

static int pipe_speed(void)
{
    mp_connection *mine, *theirs;
    mp_process *child;
    double began = 0;
    int i, message;

    if (mp_pipe_new(&mine, &theirs, NULL) < 0)
        return failed();
    if (start(&child, sender, theirs) != 0)
        return 1;
    for (i = 0; i < MESSAGES; i++) {
        if (mp_connection_recv(mine, &message, sizeof message, NULL, MP_FOREVER) < 0)
            return failed();
        if (i == 0)
            began = now();
    }
    say("messages through a pipe", MESSAGES, began);
    return end(child) != 0 || mp_connection_free(mine) < 0 || mp_connection_free(theirs) < 0;
}

static int array_speed(void)
{
    mp_array *array;
    double began;
    int i;

    if (mp_array_new(&array, 'i', 100, NULL, NULL) < 0)
        return failed();
    began = now();
    for (i = 0; i < CALLS; i++)
        if (mp_array_fetch_add(array, (size_t)i % 100, 1, NULL) < 0)
            return failed();
    say("additions to an array", CALLS, began);
    return mp_array_free(array) < 0;
}

static int lock_speed(void)
{
    mp_lock *lock;
    double began;
    int i;

    if (mp_lock_new(&lock, NULL) < 0)
        return failed();
    began = now();
    for (i = 0; i < CALLS; i++)
        if (mp_lock_acquire(lock, MP_FOREVER) < 0 || mp_lock_release(lock) < 0)
            return failed();
    say("turns of a lock", CALLS, began);
    return mp_lock_free(lock) < 0;
}

static int condition_speed(void)
{
    mp_condition *condition;
    mp_process *child;
    double began;
    int i;

    if (mp_condition_new(&condition, NULL) < 0 || mp_condition_acquire(condition, MP_FOREVER) < 0)
        return failed();
    if (start(&child, answerer, condition) != 0 || mp_condition_wait(condition, MP_FOREVER) < 0)
        return 1;
    began = now();
    for (i = 0; i < TURNS; i++)
        if (mp_condition_notify(condition, 1) < 0 || mp_condition_wait(condition, MP_FOREVER) < 0)
            return failed();
    say("notifications back and forth", TURNS, began);
    return mp_condition_release(condition) < 0 || end(child) != 0 || mp_condition_free(condition) < 0;
}

int main(int argc, char **argv)
{
    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    return queue_speed() || pipe_speed() || array_speed() || lock_speed() || condition_speed();
}
