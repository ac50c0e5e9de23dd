/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first use of the library where memory, files or descriptors are scarce. Each case runs in a
 * fresh process. What may fail fails with a status and a sentence; nothing kills the host. */
#include "test_limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void limit(int which, rlim_t soft)
{
    struct rlimit now;

    CHECK(getrlimit(which, &now) == 0);
    now.rlim_cur = soft;
    CHECK(setrlimit(which, &now) == 0);
}

static int with_file_size(void *bytes)
{
    limit(RLIMIT_FSIZE, *(rlim_t *)bytes);
    return use_everything() < 0 ? 1 : 0;
}

/* Beyond this limit a write or a truncation brings SIGXFSZ, which kills. */
TEST_COLD(limits, file_size)
{
    static rlim_t tiny[] = {1, 4095, 4096, 65536, 100000, 1 << 20, (1 << 20) + 1, 4 << 20, 64 << 20};
    rlim_t none = 0;
    size_t i;

    CHECK_INT(in_fork(with_file_size, &none), 1);
    for (i = 0; i < COUNT(tiny); i++) {
        int code = in_fork(with_file_size, &tiny[i]);

        CHECK(code == 0 || code == 1);
    }
}

static int with_address_space(void *more)
{
    limit(RLIMIT_AS, address_space() + *(rlim_t *)more);
    use_everything();
    return 0;
}

TEST_COLD(limits, address_space)
{
    static rlim_t more[] = {64 << 10, 256 << 10, 1 << 20,  2 << 20,   4 << 20,  8 << 20,
                            16 << 20, 32 << 20,  64 << 20, 128 << 20, 256 << 20};
    size_t i;

    for (i = 0; i < COUNT(more); i++)
        CHECK_INT(in_fork(with_address_space, &more[i]), 0);
}

static int with_limit(void *bytes)
{
    limit(RLIMIT_AS, *(rlim_t *)bytes);
    use_everything();
    return 0;
}

TEST_COLD(limits, small_address_space)
{
    static rlim_t total[] = {16 << 20, 24 << 20, 64 << 20};
    size_t i;

    for (i = 0; i < COUNT(total); i++)
        CHECK_INT(in_fork(with_limit, &total[i]), 0);
}

static int with_descriptors(void *leave)
{
    mp_lock *l;
    int s;

    fill_descriptors(*(int *)leave);
    s = CHECK_CLEAN(mp_lock_new(&l, NULL));
    if (*(int *)leave == 0) {
        CHECK(s < 0);
        CHECK_INT(mp_last_errno(), EMFILE);
    }
    if (s == MP_OK)
        CHECK_OK(mp_lock_free(l));
    use_everything();
    release_descriptors();
    /* It was a passing want. */
    CHECK_OK(mp_lock_new(&l, NULL));
    CHECK_OK(mp_lock_free(l));
    CHECK_INT(use_everything(), MP_OK);
    return 0;
}

TEST_COLD(limits, descriptors_before_the_first_use)
{
    int leave;

    for (leave = 0; leave < 16; leave++)
        CHECK_INT(in_fork(with_descriptors, &leave), 0);
}

TEST(limits, pool_with_few_descriptors)
{
    int leave;

    for (leave = 0; leave < 24; leave++) {
        mp_pool_options o = MP_POOL_OPTIONS;
        int before = open_descriptors(), s;
        mp_pool *pool;
        pid_t child;

        o.workers = 2;
        fill_descriptors(leave);
        s = CHECK_CLEAN(mp_pool_new(&pool, &o));
        if (s == MP_OK) {
            check_squares(pool, 20, NULL);
            CHECK_OK(mp_pool_free(pool));
        }
        release_descriptors();
        CHECK_INT(children_of(getpid(), &child, 1), 0);
        CHECK_INT(open_descriptors(), before);
    }
}
