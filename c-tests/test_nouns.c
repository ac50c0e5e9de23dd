/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "test_nouns.h"

#include "test_queue.h"

void nouns_make(void *all[NOUNS])
{
    mp_item item = {.kind = MP_ITEM_INT, .integer = 41};
    double number = 0.5;

    CHECK_OK(mp_lock_new((mp_lock **)&all[0], NULL));
    CHECK_OK(mp_rlock_new((mp_rlock **)&all[1], NULL));
    CHECK_OK(mp_semaphore_new((mp_semaphore **)&all[2], 1, NULL));
    CHECK_OK(mp_event_new((mp_event **)&all[3], NULL));
    CHECK_OK(mp_barrier_new((mp_barrier **)&all[4], 1, NULL));
    CHECK_OK(mp_condition_new((mp_condition **)&all[5], NULL));
    CHECK_OK(mp_value_new((mp_value **)&all[6], MP_DOUBLE, &number, NULL));
    CHECK_OK(mp_array_new((mp_array **)&all[7], MP_INT32, 100000, NULL, NULL));
    CHECK_OK(mp_shared_memory_new((mp_shared_memory **)&all[8], 70000, NULL));
    CHECK_OK(mp_shareable_list_new((mp_shareable_list **)&all[9], &item, 1, NULL));
    all[10] = queue_new(0, 0);
    CHECK_OK(mp_priority_queue_new((mp_priority_queue **)&all[11], NULL));
    CHECK_OK(mp_queue_put(all[10], "q", 1, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_put(all[11], "p", 1, -3, MP_NO_WAIT));
}

void nouns_use(void *const all[NOUNS])
{
    mp_item item;
    double number;
    size_t size, index;
    int64_t priority;
    char byte;

    CHECK_OK(mp_lock_acquire(all[0], MP_NO_WAIT));
    CHECK_OK(mp_lock_release(all[0]));
    CHECK_OK(mp_rlock_acquire(all[1], MP_NO_WAIT));
    CHECK_OK(mp_rlock_release(all[1]));
    CHECK_OK(mp_semaphore_acquire(all[2], MP_NO_WAIT));
    CHECK_OK(mp_semaphore_release(all[2], 1));
    CHECK_OK(mp_event_set(all[3]));
    CHECK_OK(mp_barrier_wait(all[4], MP_NO_WAIT, &index));
    CHECK_OK(mp_condition_acquire(all[5], MP_NO_WAIT));
    CHECK_OK(mp_condition_release(all[5]));
    CHECK_OK(mp_value_get(all[6], &number, sizeof number));
    CHECK(number == 0.5);
    CHECK_OK(mp_array_length(all[7], &size));
    CHECK_INT(size, 100000);
    CHECK_OK(mp_shared_memory_size(all[8], &size));
    CHECK_INT(size, 70000);
    CHECK_OK(mp_shareable_list_get(all[9], 0, &item, NULL, 0));
    CHECK_INT(item.integer, 41);
    CHECK_OK(mp_queue_get(all[10], &byte, 1, NULL, NULL, MP_NO_WAIT));
    CHECK_OK(mp_queue_put(all[10], &byte, 1, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_get(all[11], &byte, 1, NULL, &priority, NULL, MP_NO_WAIT));
    CHECK_OK(mp_priority_queue_put(all[11], &byte, 1, priority, MP_NO_WAIT));
}

void nouns_free(void *const all[NOUNS])
{
    CHECK_OK(mp_lock_free(all[0]));
    CHECK_OK(mp_rlock_free(all[1]));
    CHECK_OK(mp_semaphore_free(all[2]));
    CHECK_OK(mp_event_free(all[3]));
    CHECK_OK(mp_barrier_free(all[4]));
    CHECK_OK(mp_condition_free(all[5]));
    CHECK_OK(mp_value_free(all[6]));
    CHECK_OK(mp_array_free(all[7]));
    CHECK_OK(mp_shared_memory_free(all[8]));
    CHECK_OK(mp_shareable_list_free(all[9]));
    CHECK_OK(mp_queue_free(all[10]));
    CHECK_OK(mp_priority_queue_free(all[11]));
}

void *handle_of(mp_buffer *b, size_t index)
{
    void *handle = mp_buffer_handle(b, index);

    CHECK(handle != NULL);
    return handle;
}

void nouns_take(mp_buffer *b, void *all[NOUNS])
{
    size_t k;

    for (k = 0; k < NOUNS; k++)
        all[k] = handle_of(b, k);
}
