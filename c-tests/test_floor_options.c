/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Options of a wrong size, of other versions, and by macro and by function. */
#include "test_util.h"

#include <stddef.h>
#include <string.h>

static int no_process(mp_child *self, void *user)
{
    return self == NULL && user == NULL;
}

static void no_task(mp_task *task, void *user)
{
    (void)user;
    mp_task_fail(task, "must not run");
}

TEST(floor, options_of_a_wrong_size)
{
    static const size_t sizes[] = {0, 1, 7, SIZE_MAX, SIZE_MAX / 2};
    int64_t in = 3, out;
    mp_pool *pool, *none;
    mp_process *p;
    mp_semaphore *s;
    mp_rlock *r;
    mp_shareable_list *sl;
    mp_shared_memory *m;
    mp_value *v;
    mp_array *a;
    mp_lock *l;
    mp_barrier *b;
    mp_condition *c;
    size_t i;

    CHECK_OK(mp_pool_new(&pool, NULL));
    for (i = 0; i < COUNT(sizes); i++) {
        mp_lock_options lock = MP_LOCK_OPTIONS;
        mp_rlock_options rlock = MP_RLOCK_OPTIONS;
        mp_semaphore_options semaphore = MP_SEMAPHORE_OPTIONS;
        mp_barrier_options barrier = MP_BARRIER_OPTIONS;
        mp_condition_options condition = MP_CONDITION_OPTIONS;
        mp_process_options process = MP_PROCESS_OPTIONS;
        mp_pool_options workers = MP_POOL_OPTIONS;
        mp_map_options map = MP_MAP_OPTIONS;
        mp_stats stats = MP_STATS;
        mp_value_options value = MP_VALUE_OPTIONS;
        mp_array_options array = MP_ARRAY_OPTIONS;
        mp_shared_memory_options memory = MP_SHARED_MEMORY_OPTIONS;
        mp_shareable_list_options list = MP_SHAREABLE_LIST_OPTIONS;

        barrier.size = condition.size = sizes[i];
        CHECK_STATUS(mp_barrier_new(&b, 1, &barrier), MP_ERR_INVALID);
        CHECK_STATUS(mp_condition_new(&c, &condition), MP_ERR_INVALID);
        lock.size = process.size = workers.size = map.size = stats.size = sizes[i];
        rlock.size = semaphore.size = sizes[i];
        value.size = array.size = memory.size = list.size = sizes[i];
        CHECK_STATUS(mp_value_new(&v, MP_INT8, NULL, &value), MP_ERR_INVALID);
        CHECK_STATUS(mp_value_new_struct(&v, 8, NULL, &value), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_new(&a, MP_INT8, 1, NULL, &array), MP_ERR_INVALID);
        CHECK_STATUS(mp_array_new_struct(&a, 8, 1, NULL, &array), MP_ERR_INVALID);
        CHECK_STATUS(mp_shared_memory_new(&m, 8, &memory), MP_ERR_INVALID);
        CHECK_STATUS(mp_shareable_list_new(&sl, NULL, 0, &list), MP_ERR_INVALID);
        CHECK_STATUS(mp_lock_new(&l, &lock), MP_ERR_INVALID);
        CHECK_STATUS(mp_rlock_new(&r, &rlock), MP_ERR_INVALID);
        CHECK_STATUS(mp_semaphore_new(&s, 1, &semaphore), MP_ERR_INVALID);
        CHECK_STATUS(mp_process_new(&p, no_process, NULL, &process), MP_ERR_INVALID);
        CHECK_STATUS(mp_pool_new(&none, &workers), MP_ERR_INVALID);
        CHECK_STATUS(mp_pool_map_array(pool, no_task, NULL, &in, 8, 1, &out, 8, &map),
                     MP_ERR_INVALID);
        CHECK_STATUS(mp_stats_get(&stats), MP_ERR_INVALID);
    }
    CHECK_OK(mp_pool_free(pool));
}

/* A program that was compiled with a later mp.h: what this version does not know must not be asked
 * for. One that was compiled with an earlier one: the defaults stand for what it does not have. */
TEST(floor, options_of_other_versions)
{
    struct {
        mp_lock_options known;
        char more[64];
    } later = {MP_LOCK_OPTIONS, ""};
    mp_lock_options earlier = MP_LOCK_OPTIONS;
    mp_stats some = MP_STATS;
    mp_lock *l;

    later.known.size = sizeof later;
    CHECK_OK(mp_lock_new(&l, &later.known));
    CHECK_OK(mp_lock_free(l));
    later.more[63] = 1;
    CHECK_STATUS(mp_lock_new(&l, &later.known), MP_ERR_UNSUPPORTED);
    earlier.size = sizeof earlier.size;
    CHECK_OK(mp_lock_new(&l, &earlier));
    CHECK_OK(mp_lock_free(l));
    some.size = offsetof(mp_stats, blocks);
    some.blocks = 12345;
    CHECK_OK(mp_stats_get(&some));
    CHECK(some.processes >= 1);
    CHECK_INT(some.blocks, 12345);
}

TEST(floor, macros_are_functions_too)
{
    mp_lock_options lock = MP_LOCK_OPTIONS, lock2;
    mp_rlock_options rlock = MP_RLOCK_OPTIONS, rlock2;
    mp_semaphore_options semaphore = MP_SEMAPHORE_OPTIONS, semaphore2;
    mp_process_options process = MP_PROCESS_OPTIONS, process2;
    mp_pool_options pool = MP_POOL_OPTIONS, pool2;
    mp_map_options map = MP_MAP_OPTIONS, map2;
    mp_stats stats = MP_STATS, stats2;

    memset(&lock2, 0xAA, sizeof lock2);
    memset(&process2, 0xAA, sizeof process2);
    memset(&pool2, 0xAA, sizeof pool2);
    memset(&map2, 0xAA, sizeof map2);
    memset(&stats2, 0xAA, sizeof stats2);
    CHECK_OK(mp_lock_options_init(&lock2, sizeof lock2));
    memset(&rlock2, 0xAA, sizeof rlock2);
    memset(&semaphore2, 0xAA, sizeof semaphore2);
    CHECK_OK(mp_rlock_options_init(&rlock2, sizeof rlock2));
    CHECK_OK(mp_semaphore_options_init(&semaphore2, sizeof semaphore2));
    CHECK(rlock2.size == sizeof rlock2 && rlock2.size == rlock.size);
    CHECK(rlock2.report_owner_death == rlock.report_owner_death);
    CHECK(semaphore2.size == sizeof semaphore2 && semaphore2.size == semaphore.size);
    CHECK(semaphore2.bounded == semaphore.bounded);
    CHECK(semaphore2.give_back == semaphore.give_back);
    CHECK_STATUS(mp_rlock_options_init(NULL, sizeof(mp_rlock_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_semaphore_options_init(NULL, sizeof(mp_semaphore_options)), MP_ERR_INVALID);
    CHECK_OK(mp_process_options_init(&process2, sizeof process2));
    CHECK_OK(mp_pool_options_init(&pool2, sizeof pool2));
    CHECK_OK(mp_map_options_init(&map2, sizeof map2));
    CHECK_OK(mp_stats_init(&stats2, sizeof stats2));
    CHECK(lock2.size == sizeof lock2 && lock2.size == lock.size);
    CHECK(lock2.report_owner_death == lock.report_owner_death);
    CHECK(process2.size == sizeof process2 && process2.size == process.size);
    CHECK(process2.start_method == process.start_method && process2.name == process.name);
    CHECK(process2.daemon == process.daemon && process2.stdin_fd == process.stdin_fd);
    CHECK(process2.stdout_fd == process.stdout_fd && process2.stderr_fd == process.stderr_fd);
    CHECK(process2.environment == process.environment && process2.directory == process.directory);
    CHECK(process2.cpus == process.cpus && process2.cpu_count == process.cpu_count);
    CHECK(process2.process_group == process.process_group);
    CHECK(process2.keep_arguments == process.keep_arguments);
    CHECK(process2.context == process.context && pool2.context == pool.context);
    CHECK(pool2.size == sizeof pool2 && pool2.size == pool.size && pool2.workers == pool.workers);
    CHECK(map2.size == sizeof map2 && map2.size == map.size && map2.chunk == map.chunk);
    CHECK(map2.timeout == map.timeout && map2.run_all == map.run_all);
    CHECK(map2.progress == map.progress && map2.progress_user == map.progress_user);
    CHECK(stats2.size == sizeof stats2 && stats2.size == stats.size);
    CHECK(stats2.processes == 0 && stats2.blocks == 0 && stats2.sweeps == 0);
    CHECK_INT(mp_exitcode_unknown(), MP_EXITCODE_UNKNOWN);
    CHECK_STATUS(mp_lock_options_init(NULL, sizeof(mp_lock_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_process_options_init(NULL, sizeof(mp_process_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_pool_options_init(NULL, sizeof(mp_pool_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_map_options_init(NULL, sizeof(mp_map_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_stats_init(NULL, sizeof(mp_stats)), MP_ERR_INVALID);
}

/* Programs may know a struct that is shorter than the library's, or longer. */
TEST(floor, initialisers_of_other_versions)
{
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX};
    union {
        mp_barrier_options options;
        unsigned char bytes[4096];
    } u;
    mp_barrier_options want = MP_BARRIER_OPTIONS;
    mp_barrier *b;
    size_t size, i;

    memset(&u, 0xAA, sizeof u);
    for (i = 0; i < COUNT(sizes); i++)
        CHECK_STATUS(mp_barrier_options_init(&u.options, sizes[i]), MP_ERR_INVALID);
    CHECK(u.bytes[0] == 0xAA);
    for (size = sizeof(size_t); size <= sizeof u; size += 8) {
        memset(&u, 0xAA, sizeof u);
        CHECK_OK(mp_barrier_options_init(&u.options, size));
        CHECK_INT(u.options.size, size);
        want.size = size;
        for (i = 0; i < sizeof u; i++) {
            unsigned char wanted = i >= size ? 0xAA : 0;

            /* Nothing is said of the padding. */
            if (i < size && i < offsetof(mp_barrier_options, mode) + sizeof want.mode)
                wanted = ((unsigned char *)&want)[i];
            if (i < offsetof(mp_barrier_options, mode) + sizeof want.mode || i >= sizeof want)
                CHECK(u.bytes[i] == wanted);
        }
        CHECK_OK(mp_barrier_new(&b, 1, &u.options));
        CHECK_OK(mp_barrier_free(b));
    }
}

TEST(floor, macros_of_shared_objects_are_functions_too)
{
    mp_shareable_list_options list = MP_SHAREABLE_LIST_OPTIONS, list2;
    mp_shared_memory_options memory = MP_SHARED_MEMORY_OPTIONS, memory2;
    mp_value_options value = MP_VALUE_OPTIONS, value2;
    mp_array_options array = MP_ARRAY_OPTIONS, array2;

    memset(&list2, 0xAA, sizeof list2);
    memset(&memory2, 0xAA, sizeof memory2);
    memset(&value2, 0xAA, sizeof value2);
    memset(&array2, 0xAA, sizeof array2);
    CHECK_OK(mp_shareable_list_options_init(&list2, sizeof list2));
    CHECK_OK(mp_shared_memory_options_init(&memory2, sizeof memory2));
    CHECK_OK(mp_value_options_init(&value2, sizeof value2));
    CHECK_OK(mp_array_options_init(&array2, sizeof array2));
    CHECK(list2.size == sizeof list2 && list2.size == list.size);
    CHECK(memory2.size == sizeof memory2 && memory2.size == memory.size);
    CHECK(value2.size == sizeof value2 && value2.size == value.size);
    CHECK(value2.lock == value.lock && value2.rlock == value.rlock && value2.raw == value.raw);
    CHECK(value2.report_owner_death == value.report_owner_death);
    CHECK(array2.size == sizeof array2 && array2.size == array.size);
    CHECK(array2.lock == array.lock && array2.rlock == array.rlock && array2.raw == array.raw);
    CHECK(array2.report_owner_death == array.report_owner_death);
}
