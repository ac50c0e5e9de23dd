/* The progress bar, drawn from the pool's progress callback. */
#define _XOPEN_SOURCE 700
#include "mpsum.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 30, NS_PER_FRAME = 100 * 1000 * 1000 };

void bar_begin(struct bar *bar, const struct job *job, size_t count, size_t workers)
{
    size_t i;

    bar->job = job;
    bar->count = count;
    bar->workers = workers < count ? workers : count;
    bar->before = bar->counted = 0;
    bar->bytes = bar->all_bytes = 0;
    for (i = 0; i < count; i++)
        bar->all_bytes += job[i].size;
    bar->drawn_at = 0;
    bar->on = isatty(STDERR_FILENO);
}

/* The pool says how many jobs are done, not which. The ones handed out first are the largest and
 * take longest, so they are taken to be the ones that the workers still have: never too much. */
static uint64_t bytes_done(struct bar *bar, size_t done)
{
    for (; bar->counted < done; bar->counted++)
        bar->bytes += bar->job[(bar->workers + bar->counted) % bar->count].size;
    return bar->bytes;
}

static void draw(struct bar *bar, size_t done)
{
    double all = bar->all_bytes > 0 ? (double)bar->all_bytes : (double)bar->count;
    double now = bar->all_bytes > 0 ? (double)bytes_done(bar, done) : (double)done;
    char line[WIDTH + 1];
    int i;

    for (i = 0; i < WIDTH; i++)
        line[i] = now * WIDTH >= all * (i + 1) ? '#' : '.';
    line[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3d %%  %zu of %zu files", line, (int)(100 * now / all), done, bar->count);
    fflush(stderr);
}

int bar_step(size_t done, size_t total, void *user)
{
    struct bar *bar = user;
    struct timespec time;
    int64_t now;

    (void)total;
    if (!bar->on || clock_gettime(CLOCK_MONOTONIC, &time) != 0)
        return interrupted;
    now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    if (bar->drawn_at == 0 || now - bar->drawn_at >= NS_PER_FRAME) {
        draw(bar, bar->before + done);
        bar->drawn_at = now;
    }
    return interrupted;
}

/* Wipes the bar, so that the sums stand alone. After an interrupt it stays, to show how far it got. */
void bar_end(struct bar *bar)
{
    if (bar->drawn_at != 0)
        fputs(interrupted ? "\n" : "\r\033[K", stderr);
    bar->drawn_at = 0;
}
