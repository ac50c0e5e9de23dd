/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One test's process: started in a session of its own, watched, judged. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)1 << 20)
#define GRACE_NS 2e9

static void job_exec(const job *j, int out, const char *name)
{
    struct rlimit none = {0, 0};
    struct sigaction normal;
    sigset_t empty;
    char scale[32];
    int null = open("/dev/null", O_RDONLY), i;

    setsid();
    /* A runner that is killed takes its tests along. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A shell may have started the runner with signals ignored or blocked. */
    memset(&normal, 0, sizeof normal);
    normal.sa_handler = SIG_DFL;
    for (i = 1; i < 32; i++)
        sigaction(i, &normal, NULL);
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    /* Tests that crash on purpose leave no core file. */
    setrlimit(RLIMIT_CORE, &none);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    setenv("TMPDIR", j->dir, 1);
    /* A file that a test names without a directory is its own, whatever runs beside it. */
    if (chdir(j->dir) < 0) {
        fprintf(stderr, "%s: %s\n", j->dir, strerror(errno));
        _exit(1);
    }
    snprintf(scale, sizeof scale, "%g", run_scale);
    execl("/proc/self/exe", "run", "--run", name, "--start", run_start, "--timeout-scale", scale,
          (char *)NULL);
    fprintf(stderr, "exec: %s\n", strerror(errno));
    _exit(1);
}

bool job_start(job *j, const test *t, const char *root)
{
    char name[128];
    int ends[2];

    test_full_name(t, name, sizeof name);
    snprintf(j->dir, sizeof j->dir, "%s/%zu", root, j->index);
    if (mkdir(j->dir, 0700) < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        fprintf(stderr, "cannot start %s: %s\n", name, strerror(errno));
        return false;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    j->t = t;
    j->out = ends[0];
    j->text = malloc(TEXT_MAX + 1);
    j->began = now_ns();
    j->deadline = j->began + (int64_t)(t->seconds * 1e9 * run_scale);
    fflush(NULL);
    j->pid = j->text == NULL ? -1 : fork();
    if (j->pid == 0)
        job_exec(j, ends[1], name);
    close(ends[1]);
    if (j->pid < 0) {
        fprintf(stderr, "cannot start %s: %s\n", name, strerror(errno));
        free(j->text);
        close(ends[0]);
        return false;
    }
    j->text[0] = '\0';
    return true;
}

/* Takes what is there. What goes past the limit is dropped, so that the test never blocks. */
void job_read(job *j)
{
    char piece[4096];
    ssize_t n;

    while ((n = read(j->out, piece, sizeof piece)) > 0) {
        size_t room = TEXT_MAX - j->len, take = (size_t)n < room ? (size_t)n : room;

        memcpy(j->text + j->len, piece, take);
        j->len += take;
    }
    j->text[j->len] = '\0';
}

static void say(job *j, const char *format, ...)
{
    size_t at = strlen(j->why);
    va_list list;

    if (at > 0 && at + 2 < sizeof j->why) {
        memcpy(j->why + at, "; ", 3);
        at += 2;
    }
    va_start(list, format);
    vsnprintf(j->why + at, sizeof j->why - at, format, list);
    va_end(list);
}

/* A line of the runner's own at the end of the test's output. */
static void note(job *j, const char *format, ...)
{
    size_t room = TEXT_MAX - j->len;
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(j->text + j->len, room + 1, format, list);
    va_end(list);
    j->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

/* Whoever left the session and lost its parents still has the test's TMPDIR in its environment. */
static bool has_our_environment(const job *j, pid_t pid)
{
    char path[40], want[sizeof j->dir + 10], *entry = NULL;
    bool found = false;
    size_t size = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    snprintf(want, sizeof want, "TMPDIR=%s", j->dir);
    f = fopen(path, "re");
    if (f == NULL)
        return false;
    while (!found && getdelim(&entry, &size, '\0', f) > 0)
        found = strcmp(entry, want) == 0;
    free(entry);
    fclose(f);
    return found;
}

/* The test's processes without the leader. Zombies that came to us are reaped on the way. */
static size_t members(const job *j, proc_info *list, size_t max)
{
    static proc_info all[4096];
    size_t count = proc_list(all, COUNT(all)), n = 0, i;

    for (i = 0; i < count && n < max; i++) {
        bool orphan = all[i].ppid == getpid();

        if (all[i].pid == j->pid)
            continue;
        if (all[i].session != j->pid && !(orphan && has_our_environment(j, all[i].pid)))
            continue;
        if (all[i].state != 'Z')
            list[n++] = all[i];
        else if (orphan)
            waitpid(all[i].pid, NULL, WNOHANG);
    }
    return n;
}

/* Who was there and where it slept tells most of what one wants to know about a hang. */
static void describe(job *j, pid_t pid)
{
    char path[64], where[64] = "";
    proc_info info;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/wchan", (long)pid);
    f = fopen(path, "re");
    if (f != NULL) {
        if (fgets(where, sizeof where, f) == NULL)
            where[0] = '\0';
        fclose(f);
    }
    if (proc_read(pid, &info))
        note(j, "still there: process %ld (%s) state %c in %s\n", (long)pid, info.comm, info.state,
             where);
}

void job_kill(job *j)
{
    static proc_info list[256];
    size_t n = members(j, list, COUNT(list)), i;

    job_read(j);
    describe(j, j->pid);
    for (i = 0; i < n; i++)
        describe(j, list[i].pid);
    for (i = 0; i < n; i++)
        kill(list[i].pid, SIGKILL);
    /* By itself, too: it may not have had the time to make its session. */
    kill(j->pid, SIGKILL);
    kill(-j->pid, SIGKILL);
    j->timed_out = true;
}

/* After its end nothing of a test may run. What dies with its parent gets a moment to do so. */
static void end_members(job *j)
{
    static proc_info list[256];
    int64_t guard = now_ns() + (int64_t)(GRACE_NS * run_scale);
    size_t n, i;

    while ((n = members(j, list, COUNT(list))) > 0 && now_ns() < guard)
        sleep_ms(5);
    for (i = 0; i < n; i++)
        say(j, "left process %ld (%s)", (long)list[i].pid, list[i].comm);
    while (n > 0) {
        for (i = 0; i < n; i++)
            kill(list[i].pid, SIGKILL);
        sleep_ms(5);
        n = members(j, list, COUNT(list));
    }
}

static void judge(job *j, int status)
{
    bool gave_reason = strstr(j->text, SKIP_MARK) != NULL;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

    j->result = code == EXIT_SKIPPED ? SKIPPED : PASSED;
    if (j->timed_out)
        say(j, "no end after %g s", j->t->seconds * run_scale);
    else if (WIFSIGNALED(status))
        say(j, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (code != 0 && !(code == EXIT_SKIPPED && gave_reason))
        say(j, "ended with %d", code);
    else if (strstr(j->text, CHECK_MARK) != NULL)
        say(j, "a check failed in another process");
}

void job_finish(job *j)
{
    const char *reason;
    int status;

    /* The leader stays a zombie meanwhile, so that nobody else gets its number. */
    end_members(j);
    job_read(j);
    while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(j->out);
    judge(j, status);
    if (tree_remove(j->dir))
        say(j, "left files in its TMPDIR");
    rmdir(j->dir);
    if (*j->why != '\0') {
        j->result = FAILED;
        return;
    }
    reason = strstr(j->text, SKIP_MARK);
    if (j->result == SKIPPED && reason != NULL)
        snprintf(j->why, sizeof j->why, "%.*s", (int)strcspn(reason + strlen(SKIP_MARK), "\n"),
                 reason + strlen(SKIP_MARK));
}
