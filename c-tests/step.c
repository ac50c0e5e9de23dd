/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The tracer of step.h. The victim is a fork of this process, so its code is read here, at the same
 * addresses, and its stores to the segment are seen in this process's own mapping. */
#include "step.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)

enum { SHORT_KILLS = 12, SHORT_STEPS = 40000, PAGE = 4096, NO_PTRACE = 99, LONG_COPY = 512 };

/* What the victim leaves for the survivor. */
static struct board {
    int status;
    bool acted;
} *board;

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

static void victim(const operation *op)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(NO_PTRACE);
    raise(SIGSTOP);
    if (op->prepare != NULL)
        op->prepare();
    mark();
    board->status = op->act();
    board->acted = true;
    mark();
}

/* Waits for its next stop; gives the signal, or 0 when it is gone. */
static int next_stop(pid_t pid, int *status)
{
    CHECK_INT(waitpid(pid, status, __WALL), pid);
    return WIFSTOPPED(*status) ? WSTOPSIG(*status) : 0;
}

static pid_t victim_begin(const operation *op, void (*after)(void))
{
    int status;
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
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    CHECK_INT(next_stop(pid, &status), SIGTRAP);
    return pid;
}

static void victim_end(pid_t pid)
{
    int status;

    CHECK(kill(pid, SIGKILL) == 0);
    while (next_stop(pid, &status) != 0)
        continue;
}

/* ---- kill everywhere ---- */

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

/* What a victim has in store. */
typedef struct length {
    long moments, steps;
} length;

/* Lets the victim run up to this moment; false when its call returned before. */
static bool run_to_moment(pid_t pid, long wanted, bool every, length *l)
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
        if ((segment_changed(call) || call || every) && moment++ == wanted)
            return true;
    }
    l->moments = moment;
    return false;
}

static const char *form(const char *variable)
{
    const char *wish = getenv(variable);

    return wish == NULL ? "" : wish;
}

typedef struct baseline {
    uint64_t blocks, processes;
    int descriptors;
} baseline;

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
static void check_baseline(const operation *op, baseline *b)
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

static baseline begin(void)
{
    baseline b;

    CHECK(setenv("MP_SEGMENT_SIZE", "8M", 1) == 0);
    /* The library shall do what it does where there are several. */
    CHECK(setenv("MP_CPU_COUNT", "2", 1) == 0);
    CHECK_OK(mp_bootstrap(0, NULL));
    board = shared_new(sizeof *board);
    b = baseline_now();
    stay_here();
    return b;
}

/* Kills a victim at this moment; false when there is no such moment. */
static bool kill_at(const operation *op, baseline *b, long moment, bool every, length *l)
{
    pid_t pid = victim_begin(op, NULL);
    bool came = run_to_moment(pid, moment, every, l);

    if (!came) {
        int status;

        CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
        CHECK_INT(next_stop(pid, &status), SIGTRAP);
        CHECK_INT(board->status, op->want);
    }
    victim_end(pid);
    op->check(board->acted ? (board->status == MP_OK ? DONE : NOT_DONE) : PERHAPS);
    check_baseline(op, b);
    return came;
}

/* The short form takes a few moments, and fewer where the way to them is long. */
static long stride_of(const length *l)
{
    long kills = SHORT_STEPS / l->steps;

    kills = kills > SHORT_KILLS ? SHORT_KILLS : kills < 2 ? 2 : kills;
    return (l->moments + kills - 1) / kills;
}

void kill_everywhere(const operation *op)
{
    bool all = strcmp(form("MP_KILL"), "all") == 0, every = strcmp(form("MP_KILL"), "every") == 0;
    bool spawn = strcmp(test_start_method(), "spawn") == 0;
    long stride = 1, kills = 0, at;
    length l = {0, 0};
    baseline b = begin();

    segment_find();
    if (op->moments > 0 && !all && !every) {
        rng r = rng_new();

        for (at = 0; at < 2; at++)
            kills += kill_at(op, &b, (long)rng_below(&r, (uint64_t)op->moments), false, &l);
    } else {
        CHECK(!kill_at(op, &b, -1, every, &l));
        CHECK(l.moments > 0);
        if (!all && !every)
            stride = stride_of(&l);
        /* Of the short form each start method takes its own moments. */
        for (at = spawn ? stride / 2 : 0; kill_at(op, &b, at, every, &l); at += stride)
            kills++;
    }
    printf("killed at %ld of %ld moments\n", kills, l.moments);
    segment_end();
    shared_free(board, sizeof *board);
}

/* ---- fail everywhere ---- */

/* Those that never fail, fail in another way, or would leave behind what they should have removed. A descriptor
 * of which fstat knows nothing is not the library's any more: it is not closed. */
static bool may_fail(long number)
{
    switch (number) {
    case SYS_close:
    case SYS_munmap:
    case SYS_exit:
    case SYS_exit_group:
    case SYS_rt_sigreturn:
    case SYS_rt_sigprocmask:
    case SYS_getpid:
    case SYS_brk:
    case SYS_fstat:
    case SYS_newfstatat:
        return false;
    default:
        return true;
    }
}

static int descriptors_before;

static void look_after(void)
{
    CHECK_INT(open_descriptors(), descriptors_before);
}

/* Runs a victim whose call number `wanted` of those that may fail does; false when it made fewer. */
static bool fail_at(const operation *op, baseline *b, long wanted, int error, const char *name)
{
    struct user_regs_struct regs;
    pid_t pid = victim_begin(op, look_after);
    bool entering = true, failing = false, failed = false;
    long call = 0, number = 0;
    int status, stop, pass = 0;

    for (;;) {
        CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, pass) == 0);
        stop = next_stop(pid, &status);
        pass = 0;
        if (stop == 0 || stop == SIGTRAP)
            break;
        if (stop != (SIGTRAP | 0x80)) {
            pass = stop;
            continue;
        }
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
        if (entering && may_fail((long)regs.orig_rax) && call++ == wanted) {
            number = (long)regs.orig_rax;
            regs.orig_rax = (unsigned long long)-1;
            CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
            failing = failed = true;
        } else if (!entering && failing) {
            regs.rax = (unsigned long long)-(long long)error;
            CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
            failing = false;
        }
        entering = !entering;
    }
    if (stop != SIGTRAP || (board->status != MP_OK && !failed && board->status != op->want)) {
        char text[100];

        snprintf(text, sizeof text, "call %ld (number %ld) fails with %s: status %d", wanted, number,
                 name, board->status);
        check_failed(__FILE__, __LINE__, "the victim goes on", text);
    }
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    CHECK_INT(next_stop(pid, &status), 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char text[100];

        snprintf(text, sizeof text, "call %ld (number %ld) failed with %s", wanted, number, name);
        check_failed(__FILE__, __LINE__, "the victim leaves as it came", text);
    }
    if (failed)
        printf("call %ld, number %ld, failed with %s: %s\n", wanted, number, name,
               mp_status_name(board->status));
    op->check(board->status == MP_OK ? DONE : NOT_DONE);
    check_baseline(op, b);
    return failed;
}

void fail_everywhere(const operation *op)
{
    static const struct {
        int number;
        const char *name;
    } errors[] = {{ENOMEM, "ENOMEM"}, {EMFILE, "EMFILE"}, {EINTR, "EINTR"},
                  {EAGAIN, "EAGAIN"}, {ENOSPC, "ENOSPC"}, {EPERM, "EPERM"}};
    bool all = strcmp(form("MP_FAIL"), "all") == 0;
    size_t e, first = strcmp(test_start_method(), "spawn") == 0 ? 1 : 0;
    long call, calls = 0;
    baseline b = begin();

    descriptors_before = b.descriptors;
    for (e = all ? 0 : first; e < COUNT(errors); e += all ? 1 : 2) {
        for (call = 0; fail_at(op, &b, call, errors[e].number, errors[e].name); call++)
            calls++;
    }
    printf("%ld calls failed\n", calls);
    shared_free(board, sizeof *board);
}

#else

void kill_everywhere(const operation *op)
{
    (void)op;
    SKIP("the tracer knows x86-64 only");
}

void fail_everywhere(const operation *op)
{
    (void)op;
    SKIP("the tracer knows x86-64 only");
}

#endif
