/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Pools: deaths at moments that matter. */
#include "test_pool.h"

#include <pthread.h>
#include <signal.h>

static mp_pool *shared_pool;

static int owns_a_pool_and_dies(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    pool_new(3);
    sleep_ms(150);
    raise(SIGKILL);
    return 0;
}

/* What the dead slept on lay in memory that is somebody else's now: new arrays are zeros. */
TEST(pool, memory_of_a_dead_owner_comes_back_clean)
{
    enum { BYTES = 4 << 20 };
    int round;

    for (round = 0; round < 3; round++) {
        unsigned char *bytes;
        mp_process *p;
        mp_array *a;
        void *data;
        size_t i;

        CHECK_OK(mp_process_new(&p, owns_a_pool_and_dies, NULL, NULL));
        CHECK_OK(mp_process_start(p));
        CHECK_OK(mp_process_join(p, MP_FOREVER));
        CHECK_OK(mp_process_free(p));
        sleep_ms(100);
        stats_now();
        CHECK_OK(mp_array_new(&a, MP_UINT8, BYTES, NULL, NULL));
        CHECK_OK(mp_array_data(a, &data, NULL));
        bytes = data;
        for (i = 0; i < BYTES; i++)
            CHECK(bytes[i] == 0);
        CHECK_OK(mp_array_free(a));
    }
}

static void first_ones_die(mp_task *task, void *user)
{
    if (mp_task_index(task) < 4)
        raise(SIGKILL);
    sleep_ms(5);
    square(task, user);
}

static volatile int in_progress;

static int is_slow_once(size_t done, size_t total, void *user)
{
    (void)done;
    (void)total;
    (void)user;
    if (!in_progress) {
        in_progress = 1;
        sleep_ms(800);
    }
    return 0;
}

static void *maps_the_dying(void *unused)
{
    int64_t in[20], out[20];
    mp_map_options o = MP_MAP_OPTIONS;
    int i;

    (void)unused;
    for (i = 0; i < 20; i++) {
        in[i] = i;
        out[i] = -1;
    }
    o.run_all = true;
    o.progress = is_slow_once;
    CHECK_STATUS(mp_pool_map_array(shared_pool, first_ones_die, NULL, in, 8, 20, out, 8, &o),
                 MP_ERR_WORKER_DIED);
    for (i = 4; i < 20; i++)
        CHECK_INT(out[i], (int64_t)i * i);
    return NULL;
}

/* A worker and its successor both die before the map's thread has taken the first news. */
TEST(pool, dies_twice_before_anybody_looks)
{
    pthread_t other;
    int i;

    shared_pool = pool_new(1);
    CHECK_INT(pthread_create(&other, NULL, maps_the_dying, NULL), 0);
    while (!in_progress)
        sleep_ms(1);
    for (i = 0; i < 4; i++) {
        mp_map_options o = MP_MAP_OPTIONS;
        int64_t in = 2, out;

        o.timeout = MP_MS(120);
        CHECK_CLEAN(mp_pool_map_array(shared_pool, square, NULL, &in, 8, 1, &out, 8, &o));
    }
    CHECK_INT(pthread_join(other, NULL), 0);
    CHECK_OK(mp_pool_free(shared_pool));
}
