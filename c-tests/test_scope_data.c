/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * MP_WITH_VALUE and MP_WITH_ARRAY: held inside the braces, free behind, whatever leads there. */
#include "test_util.h"

#include <pthread.h>

static bool v_held(const mp_value *v)
{
    bool yes;

    CHECK_OK(mp_value_locked(v, &yes));
    return yes;
}

static bool a_held(const mp_array *a)
{
    bool yes;

    CHECK_OK(mp_array_locked(a, &yes));
    return yes;
}

/* Free for any thread and not held by this one. */
static void *gets_both(void *arg)
{
    void **both = arg;
    mp_value *v = both[0];
    mp_array *a = both[1];

    CHECK_OK(mp_value_acquire(v, MP_NO_WAIT));
    CHECK_OK(mp_value_release(v));
    CHECK_OK(mp_array_acquire(a, MP_NO_WAIT));
    CHECK_OK(mp_array_release(a));
    return NULL;
}

static void are_free(mp_value *v, mp_array *a)
{
    void *both[2];
    pthread_t t;

    both[0] = v;
    both[1] = a;
    CHECK(!v_held(v) && !a_held(a));
    CHECK_INT(pthread_create(&t, NULL, gets_both, both), 0);
    CHECK_INT(pthread_join(t, NULL), 0);
}

static int by_return(mp_value *v, mp_array *a)
{
    MP_WITH_VALUE(v) {
        CHECK(v_held(v) && !a_held(a));
        MP_WITH_ARRAY(a) {
            CHECK(v_held(v) && a_held(a));
            return 7;
        }
    }
    return 0;
}

static int by_return_of_what_is_guarded(mp_value *v)
{
    MP_WITH_VALUE(v)
        return (int)flag_get(v);
    return 0;
}

static int by_goto(mp_value *v, mp_array *a)
{
    MP_WITH_ARRAY(a) {
        MP_WITH_VALUE(v) {
            CHECK(v_held(v) && a_held(a));
            goto inner;
        }
        CHECK(false);
    inner:
        CHECK(!v_held(v) && a_held(a));
        MP_WITH_VALUE(v)
            goto out;
    }
    return 0;
out:
    CHECK(!v_held(v) && !a_held(a));
    return 8;
}

static int by_break(mp_value *v, mp_array *a)
{
    int i, inside = 0;

    for (i = 0; i < 6; i++) {
        MP_WITH_VALUE(v) {
            MP_WITH_ARRAY(a) {
                CHECK(v_held(v) && a_held(a));
                if (i == 1)
                    break;
                if (i == 2)
                    continue;
                inside++;
            }
            CHECK(v_held(v) && !a_held(a));
            if (i == 3)
                break;
            if (i == 4)
                continue;
            inside++;
        }
        CHECK(!v_held(v) && !a_held(a));
    }
    CHECK_INT(i, 6);
    return inside;
}

static void every_way(mp_value *v, mp_array *a)
{
    are_free(v, a);
    CHECK_INT(by_return(v, a), 7);
    are_free(v, a);
    CHECK_OK(mp_value_set_int(v, 12));
    CHECK_INT(by_return_of_what_is_guarded(v), 12);
    are_free(v, a);
    CHECK_INT(by_goto(v, a), 8);
    are_free(v, a);
    CHECK_INT(by_break(v, a), 8);
    are_free(v, a);
    MP_WITH_VALUE(v)
        CHECK(v_held(v));
    MP_WITH_ARRAY(a)
        CHECK(a_held(a));
    are_free(v, a);
}

static int every_way_in_a_child(mp_child *self, void *user)
{
    CHECK(user == NULL);
    every_way(mp_child_value(self, 0), mp_child_array(self, 1));
    return 0;
}

static void with_locks(const mp_value_options *o, const mp_array_options *q)
{
    mp_value *v;
    mp_array *a;

    CHECK_OK(mp_value_new(&v, MP_INT64, NULL, o));
    CHECK_OK(mp_array_new(&a, MP_INT16, 3, NULL, q));
    every_way(v, a);
    CHECK_INT(child_end(CHILD_START(every_way_in_a_child, v, a)), 0);
    are_free(v, a);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

TEST(scope, every_way_out_of_a_value_and_an_array)
{
    mp_value_options o = MP_VALUE_OPTIONS;
    mp_array_options q = MP_ARRAY_OPTIONS;

    with_locks(NULL, NULL);
    o.lock = lock_new();
    q.lock = lock_new();
    with_locks(&o, &q);
    CHECK_OK(mp_lock_free(o.lock));
    CHECK_OK(mp_lock_free(q.lock));
    CHECK_INT(stats_now().rescued, 0);
}

static int deep(mp_value *v, mp_array *a, int depth)
{
    MP_WITH_VALUE(v)
        MP_WITH_ARRAY(a) {
            CHECK(v_held(v) && a_held(a));
            if (depth == 0)
                return 1;
            return deep(v, a, depth - 1) + 1;
        }
    return 0;
}

/* The same one in itself: free behind the outermost braces, and not before. */
TEST(scope, a_value_and_an_array_in_themselves)
{
    mp_value *v = flag_new();
    mp_array *a;
    int inside = 0;

    CHECK_OK(mp_array_new(&a, MP_DOUBLE, 2, NULL, NULL));
    CHECK_INT(deep(v, a, 20), 21);
    are_free(v, a);
    MP_WITH_VALUE(v) {
        MP_WITH_VALUE(v) {
            MP_WITH_VALUE(v)
                break;
            CHECK(v_held(v));
            inside++;
            goto out;
        }
        CHECK(false);
    out:
        CHECK(v_held(v));
        inside++;
    }
    MP_WITH_ARRAY(a) {
        MP_WITH_ARRAY(a)
            inside++;
        CHECK(a_held(a));
    }
    CHECK_INT(inside, 3);
    are_free(v, a);
    CHECK_STATUS(mp_value_release(v), MP_ERR_NOT_OWNER);
    CHECK_STATUS(mp_array_release(a), MP_ERR_NOT_OWNER);
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
}

TEST(scope, a_value_and_an_array_that_cannot_be_acquired)
{
    mp_array_options q = MP_ARRAY_OPTIONS;
    mp_value *v = flag_new(), *no_v = NULL;
    mp_array *a, *no_a = NULL;
    int inside = 0;

    q.raw = true;
    CHECK_OK(mp_array_new(&a, MP_INT8, 2, NULL, &q));
    MP_WITH_ARRAY(a)
        inside++;
    CHECK_CONTAINS(mp_last_error(), "without a lock");
    CHECK_OK(mp_value_free(v));
    CHECK_OK(mp_array_free(a));
    MP_WITH_VALUE(v)
        inside++;
    CHECK_CONTAINS(mp_last_error(), "freed");
    MP_WITH_ARRAY(a)
        inside++;
    CHECK_CONTAINS(mp_last_error(), "freed");
    MP_WITH_ARRAY(NULL)
        inside++;
    CHECK_CONTAINS(mp_last_error(), "NULL was passed");
    CHECK_INT(inside, 0);
    mp_value_leave(NULL);
    mp_value_leave(&no_v);
    mp_array_leave(NULL);
    mp_array_leave(&no_a);
    CHECK(no_v == NULL && no_a == NULL);
}
