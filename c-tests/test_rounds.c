/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Starts and joins, one after the other: afterwards memory, descriptors, children and the segment are what they
 * were, here and in the fork server. MP_ROUNDS=n does n of them; give that time by --timeout-scale. */
#include "test_util.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { ROUNDS = 500, WARM = 600 };

typedef struct holdings {
    mp_stats stats;
    pid_t server;
    int descriptors, server_descriptors;
    /* Of the heap, to the byte where the C library tells; of the process and of the server, pages. */
    long heap, pages, server_pages;
} holdings;

static int takes_and_gives(mp_child *self, void *user)
{
    pid_t server = getppid();

    CHECK(user == NULL && mp_child_value(self, 1) != NULL);
    CHECK_INT(mp_child_count(self), 2);
    CHECK_OK(mp_child_return(self, &server, sizeof server));
    return child_number(self, 0) % 100;
}

/* Gives the child's parent in the kernel. */
static pid_t one_round(int i, mp_value *v)
{
    mp_process *p;
    mp_buffer *result;
    int code;
    pid_t parent;

    CHECK_OK(mp_process_new(&p, takes_and_gives, NULL, NULL));
    child_add_number(p, i);
    CHECK_OK(mp_process_add_handle(p, v));
    CHECK_OK(mp_process_start(p));
    CHECK_OK(mp_process_join(p, MP_FOREVER));
    CHECK_OK(mp_process_exitcode(p, &code));
    CHECK_INT(code, i % 100);
    CHECK_OK(mp_process_result(p, &result));
    memcpy(&parent, mp_buffer_data(result, NULL), sizeof parent);
    CHECK_OK(mp_buffer_free(result));
    CHECK_OK(mp_process_free(p));
    return parent;
}

static int descriptors_of(pid_t pid)
{
    char path[64];
    int n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    dir = opendir(path);
    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static long heap_now(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    return (long)mallinfo2().uordblks;
#else
    return 0;
#endif
}

static holdings now(pid_t server)
{
    holdings h;

    memset(&h, 0, sizeof h);
    h.server = server;
    h.server_descriptors = descriptors_of(server);
    h.server_pages = pages_of(server);
    h.descriptors = open_descriptors();
    h.stats = stats_now();
    h.heap = heap_now();
    h.pages = pages_of(getpid());
    return h;
}

/* It closes a child's socket a moment after it has told of its end. */
static bool server_has_no_more(void *before)
{
    const holdings *h = before;

    return descriptors_of(h->server) <= h->server_descriptors;
}

TEST_T(rounds, leave_nothing, 60)
{
    const char *wanted = getenv("MP_ROUNDS");
    int rounds = wanted != NULL ? atoi(wanted) : ROUNDS, i;
    bool served = strcmp(test_start_method(), "forkserver") == 0;
    mp_value *v = flag_new();
    holdings before, after;
    pid_t parent = 0;

    CHECK(rounds > 0);
    for (i = 0; i < WARM; i++)
        parent = one_round(i, v);
    CHECK((parent == getpid()) == !served);
    before = now(parent);
    for (i = 0; i < rounds; i++)
        CHECK_INT(one_round(i, v), parent);
    after = now(parent);
    fprintf(stderr, "%d rounds: heap %+ld bytes, %+ld pages, in the server %+ld pages\n", rounds,
            after.heap - before.heap, after.pages - before.pages,
            after.server_pages - before.server_pages);
    CHECK_INT(after.descriptors, before.descriptors);
    CHECK(wait_until(server_has_no_more, &before));
    CHECK_INT(after.stats.processes, before.stats.processes);
    CHECK_INT(after.stats.blocks, before.stats.blocks);
    CHECK_INT(after.stats.bytes_used, before.stats.bytes_used);
    /* Tables that grow once may; a small block for every round may not. */
    CHECK(after.heap - before.heap < 16384);
    CHECK(after.pages - before.pages < 64);
    CHECK(after.server_pages - before.server_pages < 64);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(errno, ECHILD);
    CHECK_OK(mp_value_free(v));
}
