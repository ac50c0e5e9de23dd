/* Two conditions over one lock: notify some of those who wait, then all; wait for a predicate, and for a while. */
#include <mp.h>
#include <stdio.h>

enum { CHILDREN = 5 };

/* How many children wait or have waited, and how many of them went on; the lock guards both. */
typedef struct numbers {
    int waiting, through;
} numbers;

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: what the children wait for, what the parent waits for, and the numbers. */
static int task(mp_child *self, void *user)
{
    mp_condition *go = mp_child_condition(self, 0), *news = mp_child_condition(self, 1);
    void *data;
    numbers *n;

    (void)user;
    if (mp_value_data(mp_child_value(self, 2), &data, NULL) < 0 || mp_condition_acquire(go, MP_FOREVER) < 0)
        return failed();
    n = data;
    n->waiting++;
    if (mp_condition_notify(news, 1) < 0 || mp_condition_wait(go, MP_FOREVER) < 0)
        return failed();
    n->through++;
    if (mp_condition_notify(news, 1) < 0 || mp_condition_release(go) < 0)
        return failed();
    return 0;
}

static bool all_wait(mp_condition *news, void *user)
{
    (void)news;
    return ((const numbers *)user)->waiting == CHILDREN;
}

static bool three_are_through(mp_condition *news, void *user)
{
    (void)news;
    return ((const numbers *)user)->through == 3;
}

static bool all_are_through(mp_condition *news, void *user)
{
    (void)news;
    return ((const numbers *)user)->through == CHILDREN;
}

int main(int argc, char **argv)
{
    mp_condition_options same_lock = MP_CONDITION_OPTIONS;
    mp_value_options raw = MP_VALUE_OPTIONS;
    mp_process *child[CHILDREN];
    mp_condition *go, *news;
    mp_value *value;
    mp_rlock *lock;
    void *n;
    int i;

    raw.raw = true;
    if (mp_bootstrap(argc, argv) < 0 || mp_rlock_new(&lock, NULL) < 0)
        return failed();
    same_lock.rlock = lock;
    if (mp_condition_new(&go, &same_lock) < 0 ||
        mp_condition_new(&news, &same_lock) < 0 ||
        mp_value_new_struct(&value, sizeof(numbers), NULL, &raw) < 0 ||
        mp_value_data(value, &n, NULL) < 0)
        return failed();
    /* Whoever does not hold the lock is told so by each of these calls. */
    printf("notify without the lock: %s\n", mp_status_name(mp_condition_notify(go, 1)));
    MP_WITH_RLOCK(lock) {
        printf("wait for 10 ms: %s\n", mp_status_name(mp_condition_wait(news, MP_MS(10))));
    }
    fflush(stdout);

    for (i = 0; i < CHILDREN; i++)
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], go) < 0 ||
            mp_process_add_handle(child[i], news) < 0 ||
            mp_process_add_handle(child[i], value) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    MP_WITH_RLOCK(lock) {
        if (mp_condition_wait_for(news, all_wait, n, MP_FOREVER) < 0 ||
            mp_condition_notify(go, 3) < 0 ||
            mp_condition_wait_for(news, three_are_through, n, MP_SEC(60)) < 0)
            return failed();
        printf("3 of %d are through\n", CHILDREN);
        if (mp_condition_notify_all(go) < 0 ||
            mp_condition_wait_for(news, all_are_through, n, MP_SEC(60)) < 0)
            return failed();
        printf("all are\n");
    }
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    if (mp_condition_free(go) < 0 || mp_condition_free(news) < 0 || mp_value_free(value) < 0 ||
        mp_rlock_free(lock) < 0)
        return failed();
    return 0;
}
