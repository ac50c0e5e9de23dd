/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * MP_SEGMENT_SIZE, and a segment that is full. Each case runs in a fresh process. */
#include "test_limits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int has_errno(int status)
{
    return status != MP_ERR_OS || mp_last_errno() != 0;
}

int use_everything(void)
{
    int64_t x = 0;
    mp_lock *l;
    mp_value *v;
    mp_array *a;
    mp_pool *pool;
    int s, first;

    first = CHECK_CLEAN(mp_lock_new(&l, NULL));
    CHECK(has_errno(first));
    if (first == MP_OK) {
        CHECK_OK(mp_lock_acquire(l, MP_NO_WAIT));
        CHECK_OK(mp_lock_release(l));
        CHECK_OK(mp_lock_free(l));
    }
    if (CHECK_CLEAN(mp_value_new(&v, MP_INT64, NULL, NULL)) == MP_OK) {
        CHECK_OK(mp_value_set_int(v, 7));
        CHECK_OK(mp_value_get_int(v, &x));
        CHECK_INT(x, 7);
        CHECK_OK(mp_value_free(v));
    }
    if (CHECK_CLEAN(mp_array_new(&a, MP_INT8, 5 << 20, NULL, NULL)) == MP_OK) {
        CHECK_OK(mp_array_set_int(a, (5 << 20) - 1, 9));
        CHECK_OK(mp_array_free(a));
    }
    s = CHECK_CLEAN(mp_pool_new(&pool, NULL));
    CHECK(has_errno(s));
    if (s == MP_OK) {
        int64_t in[20] = {3}, out[20] = {0};

        if (CHECK_CLEAN(mp_pool_map_array(pool, square, NULL, in, 8, 20, out, 8, NULL)) == MP_OK)
            CHECK_INT(out[0], 9);
        CHECK_OK(mp_pool_free(pool));
    }
    return first;
}

static int boots(void *size)
{
    if (size != NULL)
        CHECK(setenv("MP_SEGMENT_SIZE", size, 1) == 0);
    return -CHECK_CLEAN(mp_bootstrap(0, NULL));
}

static int boots_without_files(void *unused)
{
    struct rlimit none = {0, 0};

    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
    return boots(unused);
}

static int boots_without_descriptors(void *unused)
{
    int status;

    fill_descriptors(0);
    status = boots(unused);
    CHECK_INT(mp_last_errno(), EMFILE);
    release_descriptors();
    CHECK_INT(boots(unused), 0);
    return status;
}

TEST_COLD(limits, bootstrap_says_what_is_wrong)
{
    CHECK_INT(in_fork(boots, NULL), 0);
    CHECK_INT(in_fork(boots, "1M"), 0);
    CHECK_INT(in_fork(boots, "4194304"), 0);
    CHECK_INT(in_fork(boots, "0"), -MP_ERR_NO_MEMORY);
    CHECK_INT(in_fork(boots, "64K"), -MP_ERR_NO_MEMORY);
    CHECK_INT(in_fork(boots, "many"), -MP_ERR_INVALID);
    CHECK_INT(in_fork(boots, "-1"), -MP_ERR_INVALID);
    CHECK_INT(in_fork(boots, ""), -MP_ERR_INVALID);
    CHECK_INT(in_fork(boots_without_files, NULL), -MP_ERR_NO_MEMORY);
    CHECK_INT(in_fork(boots_without_descriptors, NULL), -MP_ERR_OS);
}

static int with_segment_size(void *text)
{
    CHECK(setenv("MP_SEGMENT_SIZE", text, 1) == 0);
    return use_everything() < 0 ? 1 : 0;
}

TEST_COLD(limits, strange_segment_sizes)
{
    static char *const sizes[] = {"0", "1", "4096", "65536", "1000000", "18446744073709551615",
                                  "9223372036854775807", "1000000000000000000000000000", "-5",
                                  "", " ", "abc", "12abc", "1e9", "\xFF\xFE"};
    size_t i;

    for (i = 0; i < COUNT(sizes); i++) {
        int code = in_fork(with_segment_size, sizes[i]);

        CHECK(code == 0 || code == 1);
    }
}
