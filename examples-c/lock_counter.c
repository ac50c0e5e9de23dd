/* Two processes count in one number, 1000 times each, reading and writing it under a lock. Prints 2000.
 * For counting alone mp_value_fetch_add needs no lock: see value_counter.c. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the lock and the number that it guards. */
static int count(mp_child *self, void *user)
{
    mp_lock *lock = mp_child_lock(self, 0);
    mp_value *counter = mp_child_value(self, 1);
    int64_t now;
    int i;

    (void)user;
    if (lock == NULL || counter == NULL)
        return failed();
    for (i = 0; i < 1000; i++)
        if (mp_lock_acquire(lock, MP_FOREVER) < 0 ||
            mp_value_get_int(counter, &now) < 0 ||
            mp_value_set_int(counter, now + 1) < 0 ||
            mp_lock_release(lock) < 0)
            return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[2];
    mp_value *counter;
    mp_lock *lock;
    int64_t total;
    int i;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_lock_new(&lock, NULL) < 0 ||
        mp_value_new(&counter, MP_INT64, NULL, NULL) < 0)
        return failed();
    for (i = 0; i < 2; i++)
        if (mp_process_new(&child[i], count, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], lock) < 0 ||
            mp_process_add_handle(child[i], counter) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < 2; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    if (mp_value_get_int(counter, &total) < 0)
        return failed();
    printf("%d\n", (int)total);
    mp_value_free(counter);
    mp_lock_free(lock);
    return 0;
}
