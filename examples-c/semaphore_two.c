/* Ten processes, of which a semaphore lets two at a time sleep. Prints what each slept, and last
 * whether there ever were more inside. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHILDREN = 10, SLOTS = 2 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Notes that there was a moment with so many inside. */
static int note(mp_value *most, int64_t inside)
{
    int64_t known;
    bool done;

    if (mp_value_get_int(most, &known) < 0)
        return -1;
    for (done = false; !done && known < inside;)
        if (mp_value_compare_exchange(most, &known, inside, &done) < 0)
            return -1;
    return 0;
}

/* Arguments: the semaphore, two numbers, which child this is, and its milliseconds. */
static int task(mp_child *self, void *user)
{
    mp_semaphore *semaphore = mp_child_semaphore(self, 0);
    mp_value *inside = mp_child_value(self, 1), *most = mp_child_value(self, 2);
    const int *number = mp_child_bytes(self, 3, NULL), *pause = mp_child_bytes(self, 4, NULL);
    int64_t others;

    (void)user;
    if (semaphore == NULL || inside == NULL || most == NULL || number == NULL || pause == NULL ||
        mp_semaphore_acquire(semaphore, MP_FOREVER) < 0 ||
        mp_value_fetch_add(inside, 1, &others) < 0 || note(most, others + 1) < 0)
        return failed();
    usleep((useconds_t)*pause * 1000);
    printf("Process %d got 0.%03d\n", *number, *pause);
    fflush(stdout);
    if (mp_value_fetch_add(inside, -1, NULL) < 0 || mp_semaphore_release(semaphore, 1) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[CHILDREN];
    mp_semaphore *semaphore;
    mp_value *inside, *most;
    int64_t at_once;
    int i, pause;

    if (mp_bootstrap(argc, argv) < 0 || mp_semaphore_new(&semaphore, SLOTS, NULL) < 0 ||
        mp_value_new(&inside, MP_INT64, NULL, NULL) < 0 || mp_value_new(&most, MP_INT64, NULL, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++) {
        pause = 20 + rand() % 100;
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], semaphore) < 0 ||
            mp_process_add_handle(child[i], inside) < 0 ||
            mp_process_add_handle(child[i], most) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_add_bytes(child[i], &pause, sizeof pause) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    }
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    if (mp_value_get_int(most, &at_once) < 0)
        return failed();
    printf("never more than %d at once: %s\n", SLOTS, at_once <= SLOTS ? "yes" : "no");
    mp_value_free(most);
    mp_value_free(inside);
    return mp_semaphore_free(semaphore) < 0 ? failed() : 0;
}
