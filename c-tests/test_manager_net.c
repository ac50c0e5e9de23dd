/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A manager and its client in two network namespaces, with a link that is cut and comes back. */
#include "test_manager.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who is here goes to the next step, and waits until the other side has gone one further. */
static struct meeting {
    int step;
    char address[128];
    unsigned char lock[512];
    size_t lock_len;
} *meeting;

static bool is_at(void *step)
{
    return __atomic_load_n(&meeting->step, __ATOMIC_ACQUIRE) >= *(int *)step;
}

static void go_to(int step)
{
    __atomic_store_n(&meeting->step, step, __ATOMIC_RELEASE);
}

static void wait_for(int step)
{
    CHECK(wait_until(is_at, &step));
}

static bool ip(const char *what)
{
    char command[128];

    snprintf(command, sizeof command, "ip %s >/dev/null 2>&1", what);
    return system(command) == 0;
}

static mp_manager *at(const char *address)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;

    o.address = address;
    o.key = "secret";
    o.key_size = 6;
    o.patience = MP_SEC(1);
    CHECK_OK(mp_manager_new(&m, &o));
    return m;
}

static bool answers(void *dict)
{
    int64_t n;

    return mp_proxy_get_int(dict, INT(1), &n) == MP_OK && n == 2;
}

static bool gets(void *lock)
{
    return mp_proxy_acquire(lock, MP_NO_WAIT) == MP_OK;
}

static int beyond(void *unused)
{
    static const int cut[] = {MP_ERR_TIMEOUT, MP_ERR_OS};
    mp_manager *m;
    mp_proxy *d, *q, *lock;
    mp_answer *a;

    CHECK(unused == NULL && unshare(CLONE_NEWNET) == 0);
    go_to(1);
    wait_for(2);
    CHECK(ip("addr add 10.77.0.2/24 dev mp1") && ip("link set mp1 up"));
    go_to(3);
    wait_for(4);
    m = at(meeting->address);
    CHECK_OK(mp_manager_connect(m, MP_FOREVER));
    CHECK_OK(mp_proxy_import(&lock, meeting->lock, meeting->lock_len));
    d = object_new(m, "dict");
    q = object_new(m, "Queue");
    CHECK_OK(mp_proxy_set(d, INT(1), INT(2)));
    go_to(5);
    wait_for(6);
    /* The link is cut: what was asked for is not answered, and the calls say so. */
    CHECK_STATUS(mp_proxy_get(d, INT(1), &a), MP_ERR_TIMEOUT);
    check_one_of(mp_proxy_call(q, "get", NULL, 0, NULL, MP_MS(100)), cut, COUNT(cut));
    check_one_of(mp_proxy_acquire(lock, MP_NO_WAIT), cut, COUNT(cut));
    go_to(7);
    wait_for(8);
    CHECK(wait_until(answers, d));
    CHECK(wait_until(gets, lock));
    go_to(9);
    for (m = NULL; m == NULL;)
        pause();
    return 0;
}

static bool only_one(void *m)
{
    return objects(m) == 1;
}

TEST_T(manager, link_cut, 120)
{
    char add[128], path[64];
    mp_manager *m;
    mp_proxy *lock;
    mp_buffer *bytes;
    const void *data;
    int fd, code;
    pid_t child;

    if (unshare(CLONE_NEWNET) != 0)
        SKIP("this process may not make network namespaces");
    if (!ip("link set lo up"))
        SKIP("there is no ip of iproute2");
    meeting = shared_new(sizeof *meeting);
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(beyond(NULL));
    wait_for(1);
    /* The child's end of its connections is told the other side by its kernel, also when it is dead. */
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)child);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    snprintf(add, sizeof add, "link add mp0 type veth peer name mp1 netns %d", (int)child);
    if (!ip(add)) {
        CHECK(signal_child(child, SIGKILL));
        CHECK(waitpid(child, &code, 0) == child);
        SKIP("no link between namespaces can be made");
    }
    CHECK(ip("addr add 10.77.0.1/24 dev mp0") && ip("link set mp0 up"));
    go_to(2);
    wait_for(3);
    m = at("10.77.0.1:0");
    CHECK_OK(mp_manager_start(m));
    lock = object_new(m, "Lock");
    CHECK_OK(mp_proxy_export(lock, &bytes));
    data = mp_buffer_data(bytes, &meeting->lock_len);
    CHECK(meeting->lock_len <= sizeof meeting->lock);
    memcpy(meeting->lock, data, meeting->lock_len);
    CHECK_OK(mp_buffer_free(bytes));
    CHECK_OK(mp_manager_address(m, meeting->address, sizeof meeting->address, NULL));
    go_to(4);
    wait_for(5);
    CHECK_INT(objects(m), 3);
    CHECK(ip("link set mp0 down"));
    go_to(6);
    /* Here the server goes on meanwhile. */
    CHECK_OK(mp_proxy_acquire(lock, MP_NO_WAIT));
    wait_for(7);
    CHECK_OK(mp_proxy_release(lock));
    CHECK_INT(objects(m), 3);
    CHECK(ip("link set mp0 up"));
    go_to(8);
    wait_for(9);
    CHECK_STATUS(mp_proxy_acquire(lock, MP_NO_WAIT), MP_ERR_TIMEOUT);
    /* It dies while nobody can hear of it: that is known as soon as there is a link again. */
    CHECK(ip("link set mp0 down"));
    CHECK(signal_child(child, SIGKILL));
    CHECK(waitpid(child, &code, 0) == child);
    CHECK_STATUS(mp_proxy_acquire(lock, MP_MS(50)), MP_ERR_TIMEOUT);
    CHECK_INT(objects(m), 3);
    CHECK(ip("link set mp0 up"));
    CHECK_INT(mp_proxy_acquire(lock, MP_FOREVER), MP_OWNER_DIED);
    CHECK(wait_until(only_one, m));
    CHECK_OK(mp_proxy_release(lock));
    CHECK(close(fd) == 0);
    CHECK_OK(mp_proxy_free(lock));
    CHECK_OK(mp_manager_free(m));
    shared_free(meeting, sizeof *meeting);
}
