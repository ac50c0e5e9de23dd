/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Fail everywhere. */
#include "step_victim.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef STEP_WORKS

static bool is_event(pid_t pid, int fd)
{
    char path[64], file[64] = "";

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    return readlink(path, file, sizeof file - 1) > 0 && strstr(file, "[eventfd]") != NULL;
}

/* Those that never fail, fail in another way, or would leave behind what they should have removed. A descriptor
 * of which fstat knows nothing is not the library's any more: it is not closed. */
static bool may_fail(pid_t pid, const struct user_regs_struct *regs)
{
    switch (regs->orig_rax) {
    case SYS_futex:
        /* Between processes a wake may be missing, since whoever owes it was killed. */
        return (regs->rsi & FUTEX_CMD_MASK) != FUTEX_WAKE || in_segment(regs->rdi);
    case SYS_read:
    case SYS_write:
        return !is_event(pid, (int)regs->rdi);
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

/* Those that a signal interrupts. Nobody may hear of it. */
static bool is_slow(long number)
{
    switch (number) {
    case SYS_read:
    case SYS_write:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_accept4:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_futex:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_fallocate:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
        return true;
    default:
        return false;
    }
}

static int descriptors_before;
static const operation *failing_one;

static void look_after(void)
{
    if (failing_one->after != NULL)
        failing_one->after();
    if (strcmp(test_start_method(), "forkserver") == 0) {
        sigset_t death;

        /* The tracer is not to hear of the server's end. */
        sigemptyset(&death);
        sigaddset(&death, SIGCHLD);
        CHECK(sigprocmask(SIG_BLOCK, &death, NULL) == 0);
        CHECK_OK(mp_forkserver_stop());
    }
    CHECK_INT(open_descriptors(), descriptors_before);
}

/* Runs a victim whose call number `wanted` of those that may fail does; false when it made fewer. */
static bool fail_at(const operation *op, baseline *b, long wanted, int error, const char *name)
{
    struct user_regs_struct regs;
    pid_t pid = victim_begin(op, look_after);
    bool entering = true, failing = false, failed = false, excused;
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
        if (entering && may_fail(pid, &regs) && call++ == wanted) {
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
    excused = failed && (error != EINTR || !is_slow(number));
    if (stop != SIGTRAP || (board->status != MP_OK && !excused && board->status != op->want)) {
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
    baseline b = step_begin();

    descriptors_before = b.descriptors;
    failing_one = op;
    for (e = all ? 0 : first; e < COUNT(errors); e += all ? 1 : 2) {
        for (call = 0; errors[e].number != op->impossible && fail_at(op, &b, call, errors[e].number, errors[e].name); call++)
            calls++;
    }
    printf("%ld calls failed\n", calls);
    step_end();
}

#else

void fail_everywhere(const operation *op)
{
    (void)op;
    SKIP("the tracer knows x86-64 only");
}

#endif
