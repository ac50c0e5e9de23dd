/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Runs the tests, each in a process of its own, and finds what they leave behind.
 * The last line is "N passed, N failed, N skipped"; the exit code is 0 only if nothing failed. */
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FILTERS_MAX 64

/* A later start method is one more line. */
static const char *const start_methods[] = {"fork", "spawn", "forkserver"};

static int jobs_wanted = 2;
static bool list_only;
static const char *filters[FILTERS_MAX], *run_name;
static size_t filter_count;

static void on_signal(int number)
{
    stop_signal = number;
}

/* ---- the whole ---- */

static bool selected(const test *t)
{
    char name[128];
    size_t i;

    test_full_name(t, name, sizeof name);
    for (i = 0; i < filter_count; i++)
        if (strstr(name, filters[i]) != NULL)
            return true;
    return filter_count == 0;
}

static int run_all(const size_t *which, size_t total)
{
    size_t sums[4] = {0, 0, 0, 0}, i;
    struct sigaction stop;
    const char *place = getenv("TMPDIR");

    if (place == NULL || *place != '/' || strlen(place) > ROOT_MAX)
        place = "/tmp";
    snprintf(run_root, sizeof run_root, "%s/ctest.XXXXXX", place);
    if (mkdtemp(run_root) == NULL) {
        fprintf(stderr, "%s: %s\n", run_root, strerror(errno));
        return 2;
    }
    memset(&stop, 0, sizeof stop);
    stop.sa_handler = on_signal;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    run_batch(which, total, jobs_wanted);
    settle_names();
    tree_remove(run_root);
    rmdir(run_root);
    for (i = 0; i < total; i++)
        sums[verdicts[which[i]].result]++;
    for (i = 0; i < total; i++) {
        const verdict *v = &verdicts[which[i]];
        char name[128];

        test_full_name(test_at(which[i]), name, sizeof name);
        if (v->result == SKIPPED || v->result == FAILED)
            printf("%s: %s: %s\n", v->result == SKIPPED ? "skipped" : "failed", name, v->why);
    }
    if (stop_signal != 0)
        printf("stopped by signal %d\n", (int)stop_signal);
    printf("%zu passed, %zu failed, %zu skipped\n", sums[PASSED], sums[FAILED], sums[SKIPPED]);
    return stop_signal != 0 ? 128 + stop_signal : sums[FAILED] > 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: run [--list] [--filter SUBSTRING]... [--start METHOD] [--jobs N]\n"
                    "           [--timeout-scale X] [-v] [--run NAME]\n");
    return 2;
}

static bool parse(int argc, char **argv)
{
    size_t m;
    int i;

    for (i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--list") == 0) {
            *(argv[i][1] == 'v' ? &run_verbose : &list_only) = true;
            continue;
        }
        if (value == NULL)
            return false;
        if (strcmp(argv[i], "--filter") == 0 && filter_count < FILTERS_MAX)
            filters[filter_count++] = value;
        else if (strcmp(argv[i], "--start") == 0)
            run_start = value;
        else if (strcmp(argv[i], "--run") == 0)
            run_name = value;
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs_wanted = atoi(value);
        else if (strcmp(argv[i], "--timeout-scale") == 0)
            run_scale = atof(value);
        else
            return false;
        i++;
    }
    for (m = 0; m < COUNT(start_methods); m++)
        if (strcmp(run_start, start_methods[m]) == 0)
            return jobs_wanted >= 1 && jobs_wanted <= JOBS_MAX && run_scale > 0;
    fprintf(stderr, "no such start method: %s\n", run_start);
    return false;
}

int main(int argc, char **argv)
{
    size_t total = 0, i, *which;
    int code;

    /* A started child never returns from here. Cold tests must not have called it. */
    if ((argc < 3 || strcmp(argv[1], "--run") != 0) && mp_bootstrap(argc, argv) < 0)
        fprintf(stderr, "%s\n", mp_last_error());
    if (!parse(argc, argv))
        return usage();
    if (run_name != NULL)
        return run_inside(run_name, argc, argv);
    which = calloc(test_count() + 1, sizeof *which);
    verdicts = calloc(test_count() + 1, sizeof *verdicts);
    if (which == NULL || verdicts == NULL)
        return 2;
    for (i = 0; i < test_count(); i++)
        if (selected(test_at(i)))
            which[total++] = i;
    if (list_only)
        for (i = 0; i < total; i++)
            printf("%s.%s\n", test_at(which[i])->noun, test_at(which[i])->name);
    code = list_only ? 0 : run_all(which, total);
    free(which);
    free(verdicts);
    return code;
}
