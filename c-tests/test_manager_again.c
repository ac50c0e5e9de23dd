/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Proxies whose server ends and another one comes, or is stopped; and in forks of forks. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static mp_manager *at(const char *address)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;

    o.address = address;
    CHECK_OK(mp_manager_new(&m, &o));
    return m;
}

static void end_server(mp_manager *m)
{
    int pid;

    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK_OK(mp_manager_join(m, MP_FOREVER));
}

/* A server numbers its objects from 1: those of the one before it are not taken for its own. */
TEST(manager, another_server_at_the_address)
{
    mp_manager *first = manager_new(), *second;
    mp_proxy *old = object_new(first, "dict"), *fresh, *list;
    mp_item item = mp_item_proxy(old);
    mp_answer *a;
    char address[128];
    int i;

    CHECK_OK(mp_proxy_set(old, INT(1), TEXT("old")));
    CHECK_OK(mp_manager_address(first, address, sizeof address, NULL));
    end_server(first);
    second = at(address);
    CHECK_OK(mp_manager_start(second));
    /* The first call only finds that its connection has ended. */
    CHECK_STATUS(mp_proxy_get(old, INT(1), &a), MP_ERR_EOF);
    fresh = object_new(second, "dict");
    CHECK_OK(mp_proxy_set(fresh, INT(1), TEXT("new")));
    for (i = 0; i < 3; i++) {
        CHECK_SENTENCE(mp_proxy_get(old, INT(1), &a), MP_ERR_EOF, "gone");
        CHECK_STATUS(mp_proxy_set(old, INT(1), TEXT("old")), MP_ERR_EOF);
    }
    CHECK_STATUS(mp_manager_create(second, &list, "list", &item, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_set(fresh, INT(2), item), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_free(old));
    CHECK_INT(objects(second), 1);
    check_str(fresh, "{1: 'new'}");
    CHECK_OK(mp_proxy_free(fresh));
    CHECK_INT(objects(second), 0);
    CHECK_OK(mp_manager_free(second));
    CHECK_OK(mp_manager_free(first));
}

static void *waits_for_ever(void *q)
{
    CHECK_SENTENCE(mp_proxy_call(q, "get", NULL, 0, NULL, MP_FOREVER), MP_ERR_EOF, "gone");
    return NULL;
}

/* Calls that wait in a server which is killed return, and say why. */
TEST(manager, server_killed_under_those_who_wait)
{
    mp_manager *m = manager_new();
    mp_proxy *q = object_new(m, "Queue");
    pthread_t threads[5];
    size_t i;

    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, waits_for_ever, q) == 0);
    wait_for_waiting(m, COUNT(threads));
    end_server(m);
    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_manager_free(m));
}

static bool has_opened_more(void *before)
{
    return open_descriptors() > *(int *)before;
}

static void *connects(void *m)
{
    CHECK_OK(mp_manager_connect(m, MP_FOREVER));
    return NULL;
}

/* Who connects for ever holds up nobody who shall not. */
TEST(manager, connects_by_its_own_timeout)
{
    mp_manager *m = manager_new(), *patient, *other;
    char address[128];
    pthread_t thread;
    int pid, before;

    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    patient = at(address);
    other = at(address);
    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK(kill(pid, SIGSTOP) == 0);
    before = open_descriptors();
    CHECK(pthread_create(&thread, NULL, connects, patient) == 0);
    CHECK(wait_until(has_opened_more, &before));
    CHECK_STATUS(mp_manager_connect(other, MP_MS(50)), MP_ERR_TIMEOUT);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_manager_connect(other, MP_FOREVER));
    CHECK_OK(mp_manager_free(other));
    CHECK_OK(mp_manager_free(patient));
    CHECK_OK(mp_manager_free(m));
}

static void *adds(void *d)
{
    CHECK_OK(mp_proxy_fetch_add(d, TEXT("n"), 1, NULL));
    return NULL;
}

static pid_t server;

/* In a fork: a thread waits for the server, which is stopped, and meanwhile this process forks. */
static int forks_again(void *d)
{
    int before = open_descriptors(), code;
    pthread_t thread;
    pid_t child;

    CHECK(kill(server, SIGSTOP) == 0);
    CHECK(pthread_create(&thread, NULL, adds, d) == 0);
    CHECK(wait_until(has_opened_more, &before));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        adds(d);
        CHECK_OK(mp_proxy_free(d));
        _exit(0);
    }
    CHECK(kill(server, SIGCONT) == 0);
    CHECK(waitpid(child, &code, 0) == child && code == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_proxy_free(d));
    return 0;
}

TEST(manager, fork_of_a_fork)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict");
    int pid;

    CHECK_OK(mp_manager_pid(m, &pid));
    server = pid;
    CHECK_INT(in_fork(forks_again, d), 0);
    check_str(d, "{'n': 2}");
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}
