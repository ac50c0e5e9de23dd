/* A lock, a semaphore, a condition, an event and a barrier: between threads, between processes, and between processes
 * that have them from a manager. The first two are one function, since a handle does for both. */
#include <mp.h>
#include <pthread.h>
#include <stdio.h>

enum { WORKERS = 4, ROUNDS = 100, HANDLES = 6 };

/* What the workers share, as arguments of a process in this order. */
typedef struct things {
    mp_barrier *barrier;
    mp_lock *lock;
    mp_semaphore *two;
    mp_condition *condition;
    mp_event *event;
    mp_array *number;
} things;

/* The numbers: counted under the lock, now in the semaphore and ever more than two there, waiting at the condition, and
 * whether they may go on. */
enum { COUNTED, INSIDE, TOO_MANY, WAITING, GO, NUMBERS };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int count(const things *t)
{
    int64_t n;
    int i;

    for (i = 0; i < ROUNDS; i++)
        if (mp_lock_acquire(t->lock, MP_FOREVER) < 0 ||
            mp_array_get_int(t->number, COUNTED, &n) < 0 ||
            mp_array_set_int(t->number, COUNTED, n + 1) < 0 ||
            mp_lock_release(t->lock) < 0)
            return failed();
    return 0;
}

static int pass(const things *t)
{
    int64_t inside;

    if (mp_semaphore_acquire(t->two, MP_FOREVER) < 0 ||
        mp_array_fetch_add(t->number, INSIDE, 1, &inside) < 0 ||
        mp_array_fetch_or(t->number, TOO_MANY, inside >= 2, NULL) < 0 ||
        mp_array_fetch_sub(t->number, INSIDE, 1, NULL) < 0 ||
        mp_semaphore_release(t->two, 1) < 0)
        return failed();
    return 0;
}

/* The predicates of the condition, which is asked with its lock held. */
static bool may_go(mp_condition *condition, void *number)
{
    int64_t go = 0;

    (void)condition;
    mp_array_get_int(number, GO, &go);
    return go != 0;
}

static bool all_wait(mp_condition *condition, void *number)
{
    int64_t waiting = 0;

    (void)condition;
    mp_array_get_int(number, WAITING, &waiting);
    return waiting == WORKERS;
}

static int work(const things *t)
{
    if (mp_barrier_wait(t->barrier, MP_FOREVER, NULL) < 0)
        return failed();
    if (count(t) != 0 || pass(t) != 0)
        return 1;
    if (mp_condition_acquire(t->condition, MP_FOREVER) < 0 ||
        mp_array_fetch_add(t->number, WAITING, 1, NULL) < 0 ||
        mp_condition_notify_all(t->condition) < 0 ||
        mp_condition_wait_for(t->condition, may_go, t->number, MP_FOREVER) < 0 ||
        mp_condition_release(t->condition) < 0 ||
        mp_event_wait(t->event, MP_FOREVER) < 0)
        return failed();
    return 0;
}

static void *thread(void *shared)
{
    return work(shared) == 0 ? NULL : shared;
}

static int process(mp_child *self, void *user)
{
    things t;

    (void)user;
    t.barrier = mp_child_barrier(self, 0);
    t.lock = mp_child_lock(self, 1);
    t.two = mp_child_semaphore(self, 2);
    t.condition = mp_child_condition(self, 3);
    t.event = mp_child_event(self, 4);
    t.number = mp_child_array(self, 5);
    return work(&t);
}

/* Arguments: a managed barrier, lock, semaphore, event and list. */
static int managed(mp_child *self, void *user)
{
    const mp_proxy *barrier = mp_child_proxy(self, 0), *lock = mp_child_proxy(self, 1);
    const mp_proxy *two = mp_child_proxy(self, 2), *event = mp_child_proxy(self, 3);
    const mp_proxy *number = mp_child_proxy(self, 4);
    int64_t n, inside;
    int i;

    (void)user;
    if (mp_proxy_call(barrier, "wait", NULL, 0, NULL, MP_FOREVER) < 0)
        return failed();
    for (i = 0; i < ROUNDS; i++)
        if (mp_proxy_acquire(lock, MP_FOREVER) < 0 ||
            mp_proxy_get_int(number, mp_item_int(COUNTED), &n) < 0 ||
            mp_proxy_set(number, mp_item_int(COUNTED), mp_item_int(n + 1)) < 0 ||
            mp_proxy_release(lock) < 0)
            return failed();
    if (mp_proxy_acquire(two, MP_FOREVER) < 0 ||
        mp_proxy_fetch_add(number, mp_item_int(INSIDE), 1, &inside) < 0 ||
        mp_proxy_fetch_add(number, mp_item_int(TOO_MANY), inside > 2, NULL) < 0 ||
        mp_proxy_fetch_add(number, mp_item_int(INSIDE), -1, NULL) < 0 ||
        mp_proxy_release(two) < 0 ||
        mp_proxy_call(event, "wait", NULL, 0, NULL, MP_FOREVER) < 0)
        return failed();
    return 0;
}

/* Starts the workers' processes with these arguments. */
static int start(mp_process **worker, mp_process_fn function, const void *const *handle, int handles)
{
    int i, j;

    for (i = 0; i < WORKERS; i++) {
        if (mp_process_new(&worker[i], function, NULL, NULL) < 0)
            return failed();
        for (j = 0; j < handles; j++)
            if (mp_process_add_handle(worker[i], handle[j]) < 0)
                return failed();
        if (mp_process_start(worker[i]) < 0)
            return failed();
    }
    return 0;
}

static int join(mp_process **worker)
{
    int i, code;

    for (i = 0; i < WORKERS; i++)
        if (mp_process_join(worker[i], MP_FOREVER) < 0 || mp_process_exitcode(worker[i], &code) < 0 ||
            code != 0 || mp_process_free(worker[i]) < 0)
            return failed();
    return 0;
}

/* Lets the workers go on, as soon as all of them wait. */
static int let_go(const things *t)
{
    if (mp_condition_acquire(t->condition, MP_FOREVER) < 0 ||
        mp_condition_wait_for(t->condition, all_wait, t->number, MP_FOREVER) < 0 ||
        mp_array_set_int(t->number, GO, 1) < 0 ||
        mp_condition_notify_all(t->condition) < 0 ||
        mp_condition_release(t->condition) < 0 ||
        mp_event_set(t->event) < 0)
        return failed();
    return 0;
}

static void say(const char *who, int64_t counted, int64_t too_many)
{
    printf("%s: %d counted, %s\n", who, (int)counted, too_many ? "too many inside" : "never more than two inside");
}

static int by_handles(bool processes)
{
    mp_process *worker[WORKERS];
    pthread_t id[WORKERS];
    int64_t counted, too_many;
    void *wrong = NULL;
    things t;
    int i;

    if (mp_barrier_new(&t.barrier, WORKERS, NULL) < 0 || mp_lock_new(&t.lock, NULL) < 0 ||
        mp_semaphore_new(&t.two, 2, NULL) < 0 || mp_condition_new(&t.condition, NULL) < 0 ||
        mp_event_new(&t.event, NULL) < 0 || mp_array_new(&t.number, 'q', NUMBERS, NULL, NULL) < 0)
        return failed();
    if (processes) {
        const void *const handle[HANDLES] = {t.barrier, t.lock, t.two, t.condition, t.event, t.number};

        if (start(worker, process, handle, HANDLES) != 0)
            return 1;
    } else {
        for (i = 0; i < WORKERS; i++)
            if (pthread_create(&id[i], NULL, thread, &t) != 0)
                return 1;
    }
    if (let_go(&t) != 0)
        return 1;
    if (processes && join(worker) != 0)
        return 1;
    for (i = 0; !processes && i < WORKERS; i++)
        if (pthread_join(id[i], &wrong) != 0 || wrong != NULL)
            return 1;
    if (mp_array_get_int(t.number, COUNTED, &counted) < 0 || mp_array_get_int(t.number, TOO_MANY, &too_many) < 0)
        return failed();
    say(processes ? "processes" : "threads", counted, too_many);
    if (mp_barrier_free(t.barrier) < 0 || mp_lock_free(t.lock) < 0 || mp_semaphore_free(t.two) < 0 ||
        mp_condition_free(t.condition) < 0 || mp_event_free(t.event) < 0 || mp_array_free(t.number) < 0)
        return failed();
    return 0;
}

static int by_manager(void)
{
    static const char *const type[] = {"Barrier", "Lock", "Semaphore", "Event", "list"};
    enum { EVENT = 3, NUMBER = 4, TYPES = 5 };
    mp_item zeros[NUMBERS];
    mp_proxy *thing[TYPES];
    mp_process *worker[WORKERS];
    mp_manager *manager;
    int64_t counted, too_many;
    int i;

    for (i = 0; i < NUMBERS; i++)
        zeros[i] = mp_item_int(0);
    if (mp_manager_new(&manager, NULL) < 0 || mp_manager_start(manager) < 0)
        return failed();
    for (i = 0; i < TYPES; i++) {
        mp_item first = mp_item_int(i == 0 ? WORKERS : 2);
        size_t takes = i == NUMBER ? NUMBERS : i == 0 || i == 2;

        if (mp_manager_create(manager, &thing[i], type[i], i == NUMBER ? zeros : &first, takes) < 0)
            return failed();
    }
    if (start(worker, managed, (const void *const *)thing, TYPES) != 0)
        return 1;
    if (mp_proxy_call(thing[EVENT], "set", NULL, 0, NULL, MP_FOREVER) < 0 || join(worker) != 0)
        return failed();
    if (mp_proxy_get_int(thing[NUMBER], mp_item_int(COUNTED), &counted) < 0 ||
        mp_proxy_get_int(thing[NUMBER], mp_item_int(TOO_MANY), &too_many) < 0)
        return failed();
    say("manager", counted, too_many);
    for (i = 0; i < TYPES; i++)
        if (mp_proxy_free(thing[i]) < 0)
            return failed();
    return mp_manager_free(manager) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    return by_handles(false) || by_handles(true) || by_manager();
}
