/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The tracer of step.h. The victim is a fork of this process, so its code is read here, at the same
 * addresses, and its stores to the segment are seen in this process's own mapping. */
#include "step_victim.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef STEP_WORKS

enum { PAGE = 4096, NO_PTRACE = 99, LONG_COPY = 512 };

board_t *board;

/* ---- the segment, as it was at the last look ---- */

static struct {
    unsigned char *base, *copy, *resident;
    size_t size;
} seg;

static void segment_find(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[400];
    unsigned long from, to;

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "/memfd:libmp") != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2) {
            seg.base = (unsigned char *)from;
            seg.size = to - from;
        }
    fclose(maps);
    CHECK(seg.base != NULL && seg.size <= 64 << 20);
    seg.copy = shared_new(seg.size);
    seg.resident = calloc(seg.size / PAGE, 1);
    CHECK(seg.resident != NULL);
}

static void segment_end(void)
{
    shared_free(seg.copy, seg.size);
    free(seg.resident);
    seg.base = NULL;
}

bool in_segment(uintptr_t at)
{
    return at - (uintptr_t)seg.base < seg.size;
}

/* Whether it differs from the last look. New pages come by system calls only. */
static bool segment_changed(bool new_pages)
{
    bool changed = false;
    size_t i;

    if (new_pages)
        CHECK(mincore(seg.base, seg.size, seg.resident) == 0);
    for (i = 0; i < seg.size / PAGE; i++)
        if ((seg.resident[i] & 1) != 0 &&
            memcmp(seg.base + i * PAGE, seg.copy + i * PAGE, PAGE) != 0) {
            memcpy(seg.copy + i * PAGE, seg.base + i * PAGE, PAGE);
            changed = true;
        }
    return changed;
}

/* ---- a victim ---- */

static void mark(void)
{
    __asm__ volatile("int3");
}

static pthread_t other_thread;

static void *other(void *arg)
{
    const operation *op = arg;

    while (__atomic_load_n(&board->go, __ATOMIC_ACQUIRE) == 0)
        usleep(20);
    op->other();
    __atomic_store_n(&board->gone, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* The victim's other thread, which is not traced. */
static void other_begin(const operation *op)
{
    CHECK(pthread_create(&other_thread, NULL, other, (void *)(uintptr_t)op) == 0);
}

void other_end(void)
{
    CHECK(pthread_join(other_thread, NULL) == 0);
}

static void victim(const operation *op)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(NO_PTRACE);
    raise(SIGSTOP);
    /* The server is there before the first child that matters: it is not what this is about. */
    if (op->leaves_children && strcmp(test_start_method(), "forkserver") == 0)
        CHECK_OK(mp_forkserver_start());
    if (op->prepare != NULL)
        op->prepare();
    if (op->other != NULL)
        other_begin(op);
    mark();
    board->status = op->act();
    board->acted = true;
    mark();
}

int next_stop(pid_t pid, int *status)
{
    CHECK_INT(waitpid(pid, status, __WALL), pid);
    return WIFSTOPPED(*status) ? WSTOPSIG(*status) : 0;
}

pid_t victim_begin(const operation *op, void (*after)(void))
{
    int status, stop;
    pid_t pid;

    memset(board, 0, sizeof *board);
    op->set_up();
    fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        victim(op);
        if (after != NULL)
            after();
        _exit(0);
    }
    if (next_stop(pid, &status) == 0) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PTRACE)
            SKIP("ptrace is not permitted here");
        CHECK(!"the victim stops");
    }
    CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) == 0);
    for (stop = 0; stop != SIGTRAP;) {
        CHECK(ptrace(PTRACE_CONT, pid, NULL, stop) == 0);
        stop = next_stop(pid, &status);
        CHECK(stop != 0);
    }
    return pid;
}

void victim_kill(pid_t pid)
{
    int status;

    CHECK(kill(pid, SIGKILL) == 0);
    while (next_stop(pid, &status) != 0)
        continue;
}

/* ---- its steps ---- */

static uintptr_t place_of(pid_t pid)
{
    errno = 0;
    return (uintptr_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), NULL);
}

static bool is_system_call(const unsigned char *code)
{
    return code[0] == 0x0F && code[1] == 0x05;
}

/* A long copy is one step, or it would be a step for each byte. */
static bool run_over_a_copy(pid_t pid, uintptr_t at)
{
    struct user_regs_struct regs;
    long back, code;
    int status;

    if (at != (uintptr_t)memcpy && at != (uintptr_t)memmove && at != (uintptr_t)memset)
        return false;
    CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
    if (regs.rdx < LONG_COPY)
        return false;
    back = ptrace(PTRACE_PEEKDATA, pid, regs.rsp, NULL);
    code = ptrace(PTRACE_PEEKTEXT, pid, back, NULL);
    CHECK(ptrace(PTRACE_POKETEXT, pid, back, (code & ~0xFFL) | 0xCC) == 0);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    CHECK_INT(next_stop(pid, &status), SIGTRAP);
    CHECK(ptrace(PTRACE_POKETEXT, pid, back, code) == 0);
    CHECK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), back) == 0);
    return true;
}

bool run_to_moment(pid_t pid, long wanted, bool every, length *l)
{
    int status, stop, pass = 0;
    long moment = 0;

    segment_changed(true);
    for (;;) {
        uintptr_t at = place_of(pid);
        const unsigned char *code = (const unsigned char *)at;
        bool call;

        if (errno != 0 || code[0] == 0xCC)
            break;
        l->steps++;
        call = is_system_call(code);
        if (call && moment++ == wanted)
            return true;
        if (pass != 0 || !run_over_a_copy(pid, at)) {
            CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, pass) == 0);
            stop = next_stop(pid, &status);
            if (stop == 0)
                check_failed(__FILE__, __LINE__, "the victim lives", "");
            pass = stop == SIGTRAP ? 0 : stop;
        }
        if ((every || segment_changed(call) || call) && moment++ == wanted)
            return true;
    }
    l->moments = moment;
    return false;
}

/* ---- before and after ---- */

const char *form(const char *variable)
{
    const char *wish = getenv(variable);

    return wish == NULL ? "" : wish;
}

static baseline baseline_now(void)
{
    mp_stats s = stats_now();
    baseline b = {s.blocks, s.processes, open_descriptors()};

    return b;
}

static bool is_as_before(void *arg)
{
    baseline *b = arg, now = baseline_now();

    return now.blocks == b->blocks && now.processes == b->processes;
}

/* Orphans of a victim's end by themselves. */
void check_baseline(const operation *op, baseline *b)
{
    if (op->leaves_children)
        CHECK(wait_until(is_as_before, b));
    CHECK_INT(baseline_now().blocks, b->blocks);
    CHECK_INT(baseline_now().processes, b->processes);
    CHECK_INT(open_descriptors(), b->descriptors);
}

/* Tracer and victim take turns, which on one CPU is several times as fast. */
static void stay_here(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

baseline step_begin(void)
{
    baseline b;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    /* The library shall do what it does where there are several. */
    CHECK(setenv("MP_CPU_COUNT", "2", 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    board = shared_new(sizeof *board);
    b = baseline_now();
    segment_find();
    stay_here();
    return b;
}

void step_end(void)
{
    segment_end();
    shared_free(board, sizeof *board);
}

#endif
