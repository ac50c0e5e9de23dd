/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Several tests at a time, and the search for who left a name behind. */
#include "runner.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A name that turned up, and the tests that ran at the time. */
typedef struct trace {
    char name[300];
    size_t suspects[JOBS_MAX];
    size_t count;
} trace;

bool run_verbose;
char run_root[ROOT_MAX + 20];
verdict *verdicts;
volatile sig_atomic_t stop_signal;

static trace *traces;
static size_t trace_count;
static names seen;

static void report(const job *j)
{
    static const char *const words[] = {"", "passed", "FAILED", "skipped"};
    char name[128];

    test_full_name(j->t, name, sizeof name);
    if (j->result != FAILED && !run_verbose)
        return;
    printf("%s %s (%.2f s)%s%s\n", words[j->result], name, (double)(now_ns() - j->began) / 1e9,
           *j->why ? ": " : "", j->why);
    if (j->len > 0)
        printf("%s%s", j->text, j->text[j->len - 1] == '\n' ? "" : "\n");
    fflush(stdout);
}

/* New names go on the record with everyone who could have made them. */
static void look_at_names(const job *ended, const job *running, int count)
{
    names now = names_now();
    size_t i;
    int k;

    for (i = 0; i < now.count; i++) {
        trace *t;

        if (names_has(&seen, now.list[i]))
            continue;
        names_add(&seen, now.list[i]);
        traces = realloc(traces, (trace_count + 1) * sizeof *traces);
        if (traces == NULL)
            abort();
        t = &traces[trace_count++];
        snprintf(t->name, sizeof t->name, "%s", now.list[i]);
        t->suspects[0] = ended->index;
        t->count = 1;
        for (k = 0; k < count; k++)
            if (running[k].index != ended->index)
                t->suspects[t->count++] = running[k].index;
    }
    names_free(&now);
}

static bool has_ended(const job *j)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    return waitid(P_PID, (id_t)j->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* Orphans of running tests come to the runner and may end while their test goes on. */
static void reap_orphans(const job *running, int count)
{
    siginfo_t info;
    int k;

    for (;;) {
        memset(&info, 0, sizeof info);
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        for (k = 0; k < count; k++)
            if (running[k].pid == info.si_pid)
                return;
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void finish(job *running, int *count, int k)
{
    job ended = running[k];

    running[k] = running[--*count];
    job_finish(&ended);
    look_at_names(&ended, running, *count);
    verdicts[ended.index].result = ended.result;
    memcpy(verdicts[ended.index].why, ended.why, sizeof ended.why);
    if (stop_signal == 0)
        report(&ended);
    free(ended.text);
}

void run_batch(const size_t *which, size_t total, int jobs)
{
    static job running[JOBS_MAX];
    struct pollfd polls[JOBS_MAX];
    size_t next = 0;
    int count = 0, k;

    if (seen.list == NULL)
        seen = names_now();
    while (count > 0 || (next < total && stop_signal == 0)) {
        while (count < jobs && next < total && stop_signal == 0) {
            memset(&running[count], 0, sizeof *running);
            running[count].index = which[next];
            if (job_start(&running[count], test_at(which[next]), run_root))
                count++;
            else
                verdicts[which[next]].result = FAILED;
            next++;
        }
        for (k = 0; k < count; k++) {
            polls[k].fd = running[k].out;
            polls[k].events = POLLIN;
        }
        poll(polls, (nfds_t)count, 10);
        for (k = count - 1; k >= 0; k--) {
            job *j = &running[k];

            job_read(j);
            if (!j->timed_out && (now_ns() > j->deadline || stop_signal != 0))
                job_kill(j);
            if (has_ended(j))
                finish(running, &count, k);
            else if (polls[k].revents & POLLHUP)
                sleep_ms(1); /* It closed its output and goes on. */
        }
        reap_orphans(running, count);
    }
}

/* ---- names that stayed ---- */

static void blame(size_t index, const char *name, const char *others)
{
    verdict *v = &verdicts[index];
    char test_name[128];

    test_full_name(test_at(index), test_name, sizeof test_name);
    v->result = FAILED;
    snprintf(v->why, sizeof v->why, "left %s%s", name, others);
    printf("FAILED %s: %s\n", test_name, v->why);
}

/* Whether the test makes a new name in this folder when it runs alone. */
static bool makes_names(size_t index, const char *folder)
{
    verdict before = verdicts[index];
    size_t count = trace_count, i;
    bool made = false;

    run_batch(&index, 1, 1);
    for (i = count; i < trace_count; i++)
        if (strncmp(traces[i].name, folder, strlen(folder)) == 0)
            made = true;
    trace_count = count;
    verdicts[index] = before;
    return made;
}

/* Each suspect runs again, alone: who makes a name again is the culprit. The first name is put
 * aside meanwhile, so that the same one can be made again. Files in /tmp may be a stranger's, so
 * there a name that nobody makes again is only mentioned. */
void settle_names(void)
{
    size_t i, s;

    for (i = 0; i < trace_count && stop_signal == 0; i++) {
        trace t = traces[i];
        bool in_memory = strncmp(t.name, "/dev/shm/", 9) == 0, found = false;
        const char *folder = in_memory ? "/dev/shm/" : "/tmp/";
        char aside[320];

        snprintf(aside, sizeof aside, "%s.aside", t.name);
        if (rename(t.name, aside) < 0)
            continue; /* It is gone. */
        names_add(&seen, aside);
        names_remove(&seen, t.name);
        for (s = 0; s < t.count && !found; s++)
            if (makes_names(t.suspects[s], folder)) {
                blame(t.suspects[s], t.name, "");
                found = true;
            }
        if (rename(aside, t.name) < 0)
            printf("note: %s stays\n", aside);
        if (!found && in_memory)
            blame(t.suspects[0], t.name, ", or a test that ran beside it did");
        else if (!found)
            printf("note: %s appeared during the run; no test makes such a name alone\n", t.name);
    }
    names_free(&seen);
    free(traces);
}
