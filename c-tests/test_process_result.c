/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What a child leaves for its parent; processes that run in place, and again. */
#include "test_util.h"

#include <signal.h>
#include <string.h>

static int nothing(mp_child *self, void *user)
{
    return self == NULL || user != NULL;
}

/* ---- results ---- */

static int gives_back(mp_child *self, void *user)
{
    size_t len;
    const void *data = mp_child_bytes(self, 0, &len);

    CHECK(data != NULL && user == NULL);
    CHECK_OK(mp_child_return(self, "first", 5));
    CHECK_STATUS(mp_child_return(self, NULL, 3), MP_ERR_INVALID);
    CHECK_OK(mp_child_return(self, data, len));
    if (mp_child_count(self) > 1)
        raise(SIGKILL);
    return 3;
}

static void has_result(mp_process *p, const void *want, size_t len)
{
    mp_buffer *buffer;
    const void *data;
    size_t n;

    CHECK_OK(mp_process_result(p, &buffer));
    data = mp_buffer_data(buffer, &n);
    CHECK_INT(n, len);
    CHECK(len == 0 || memcmp(data, want, len) == 0);
    CHECK_OK(mp_buffer_free(buffer));
}

static void result_of(const void *bytes, size_t len, bool killed)
{
    mp_process *p = child_new(gives_back, NULL);
    mp_buffer *none;
    int code;

    CHECK_OK(mp_process_add_bytes(p, bytes, len));
    if (killed)
        child_add_number(p, 1);
    CHECK_STATUS(mp_process_result(p, &none), MP_ERR_STATE);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, killed ? -SIGKILL : 3);
    has_result(p, bytes, len);
    has_result(p, bytes, len);
    CHECK_OK(mp_process_free(p));
}

TEST(process, result)
{
    static char large[3 << 20];
    mp_process *p = child_new(nothing, NULL);
    mp_stats before, after;
    mp_buffer *none;
    size_t i;
    int round;

    for (i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7 + i / 251);
    result_of("abc", 3, false);
    result_of("", 0, false);
    result_of("killed", 6, true);
    result_of(large, sizeof large, false);
    before = stats_now();
    for (round = 0; round < 10; round++)
        result_of(large, sizeof large / 2, round % 2 == 1);
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.bytes_used, before.bytes_used);
    CHECK_INT(after.processes, before.processes);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_STATUS(mp_process_result(p, &none), MP_ERR_EMPTY);
    CHECK_STATUS(mp_process_result(p, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_process_free(p));
}

/* The slot of a child that left a result is not free for others until it was fetched. */
TEST(process, results_wait_for_their_parent)
{
    mp_process *all[40];
    size_t i;

    for (i = 0; i < COUNT(all); i++) {
        all[i] = child_new(gives_back, NULL);
        CHECK_OK(mp_process_add_bytes(all[i], &i, sizeof i));
        CHECK_OK(mp_process_start(all[i]));
    }
    for (i = 0; i < COUNT(all); i++) {
        pid_t pid = child_pid(all[i]);

        CHECK(wait_until(gone, &pid));
    }
    stats_now(); /* sweeps the dead */
    for (i = 0; i < COUNT(all); i++) {
        CHECK_OK(mp_process_join(all[i], MP_FOREVER));
        has_result(all[i], &i, sizeof i);
        CHECK_OK(mp_process_free(all[i]));
    }
}

static int leaves_an_orphaned_result(mp_child *self, void *user)
{
    mp_process *p = child_new(gives_back, NULL);
    pid_t pid;

    CHECK(self != NULL && user == NULL);
    CHECK_OK(mp_process_add_bytes(p, "orphan", 6));
    CHECK_OK(mp_process_start(p));
    pid = child_pid(p);
    CHECK(wait_until(gone, &pid));
    raise(SIGKILL);
    return 0;
}

static bool as_before(void *before)
{
    const mp_stats *then = before;
    mp_stats now = stats_now();

    return now.blocks == then->blocks && now.processes == then->processes;
}

TEST(process, result_of_an_orphan_is_given_up)
{
    mp_stats before;
    mp_process *p;

    result_of("warm", 4, false);
    before = stats_now();
    p = child_new(leaves_an_orphaned_result, NULL);
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), -SIGKILL);
    CHECK(wait_until(as_before, &before));
}

/* ---- in place, and again ---- */

static int counts(mp_child *self, void *user)
{
    mp_value *count = mp_child_value(self, 0);

    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(count, child_number(self, 1), NULL));
    CHECK_OK(mp_child_return(self, "here", 4));
    return (int)getpid();
}

TEST(process, run_in_place)
{
    mp_value *count = flag_new();
    mp_process *p = child_new(counts, NULL);
    mp_stats before = stats_now(), after;
    mp_buffer *none;
    int code = 0;

    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 10);
    CHECK_STATUS(mp_process_result(p, &none), MP_ERR_STATE);
    CHECK_OK(mp_process_run(p, &code));
    CHECK_INT(code, getpid());
    has_result(p, "here", 4);
    CHECK_OK(mp_process_run(p, NULL));
    CHECK_INT(flag_get(count), 20);
    CHECK_OK(mp_process_start(p));
    CHECK_STATUS(mp_process_run(p, &code), MP_ERR_STATE);
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_STATUS(mp_process_run(p, &code), MP_ERR_STATE);
    CHECK_INT(flag_get(count), 30);
    CHECK_OK(mp_process_free(p));
    CHECK_STATUS(mp_process_run(mp_current_process(), NULL), MP_ERR_STATE);
    after = stats_now();
    CHECK_INT(after.blocks, before.blocks);
    CHECK_OK(mp_value_free(count));
}

static int adds(mp_child *self, void *user)
{
    CHECK(user == NULL);
    CHECK_OK(mp_value_fetch_add(mp_child_value(self, 0), child_number(self, 1), NULL));
    return 7;
}

TEST(process, again)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_value *count = flag_new();
    mp_process *p = child_new(adds, NULL), *second, *third;

    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 1);
    CHECK_OK(mp_process_again(p, &second));
    check_same_text(mp_process_name(second), "Process-2");
    CHECK_OK(mp_process_start(p));
    CHECK_SENTENCE(mp_process_again(p, &third), MP_ERR_STATE, "keep_arguments");
    CHECK_INT(child_end(p), 7);
    CHECK_OK(mp_process_start(second));
    CHECK_INT(child_end(second), 7);
    CHECK_INT(flag_get(count), 2);

    o.keep_arguments = true;
    o.name = "kept";
    p = child_new(adds, &o);
    CHECK_OK(mp_process_add_handle(p, count));
    child_add_number(p, 10);
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_again(p, &second));
    CHECK_INT(child_end(p), 7);
    CHECK_OK(mp_process_start(second));
    CHECK_OK(mp_process_join(second, MP_FOREVER));
    CHECK_OK(mp_process_again(second, &third));
    check_same_text(mp_process_name(third), "kept");
    CHECK_INT(child_end(second), 7);
    CHECK_OK(mp_process_start(third));
    CHECK_INT(child_end(third), 7);
    CHECK_INT(flag_get(count), 32);
    CHECK_STATUS(mp_process_again(mp_current_process(), &third), MP_ERR_STATE);
    CHECK_OK(mp_value_free(count));
}
