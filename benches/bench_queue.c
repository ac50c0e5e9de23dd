/* The queue beside pipe(2), in one run: what one process can hand to another in a second, and how
 * long one message takes there and back.
 *
 * How to read it: bench.h says what rounds, ratios and marks are.
 *
 * "1 to 1": a child puts messages of one size as fast as it can, and the parent gets them. Each is
 * written anew before it is put, and read, every byte, after it was got; the sums have to agree. Both
 * block when there is no room or no message. The ring has 64 KiB, which is a pipe's size too. "round trip": the parent puts 8 bytes, and a child gets them and puts them back into a second
 * queue or pipe, on which the parent waits; "at once" means one after the other, and "rested" that
 * both sleep for 100 us before each.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LIBMP, PIPE, SUBJECTS };
enum { ROUNDS = 11, TRIPS = 400, LONGEST = 1 << 20 };

static const struct row {
    const char *name;
    size_t size;
    int count[SUBJECTS];        /* messages in a round: about as much time for either */
    double mark;
} rows[] = {
    {"1 to 1, 8 B", 8, {1000000, 150000}, 5},
    {"1 to 1, 64 B", 64, {1000000, 150000}, 4},
    {"1 to 1, 1 KiB", 1024, {400000, 100000}, 4},
    {"1 to 1, 4 KiB", 4096, {150000, 40000}, 3.5},
    {"1 to 1, 64 KiB", 65536, {6000, 4000}, 1.3},
    {"1 to 1, 1 MiB", 1 << 20, {400, 300}, 1.1},
};

/* Lives in a shared array. */
struct page {
    int ready, go;
    uint64_t sum;
};

struct job {
    int subject, count;
    size_t size;
    int there[2], back[2];      /* pipes */
};

static uint64_t message[LONGEST / 8];

/* ---- a message there ---- */

static void put(int subject, mp_queue *queue, int fd, size_t size)
{
    const char *at = (const char *)message;

    if (subject == LIBMP) {
        if (mp_queue_put(queue, message, size, MP_FOREVER) < 0)
            bench_die("put");
        return;
    }
    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n <= 0)
            bench_die("write");
        at += n;
        size -= (size_t)n;
    }
}

static void get(int subject, mp_queue *queue, int fd, size_t size)
{
    char *at = (char *)message;
    size_t len;

    if (subject == LIBMP) {
        if (mp_queue_get(queue, message, sizeof message, &len, NULL, MP_FOREVER) < 0 || len != size)
            bench_die("get");
        return;
    }
    while (size > 0) {
        ssize_t n = read(fd, at, size);

        if (n <= 0)
            bench_die("read");
        at += n;
        size -= (size_t)n;
    }
}

/* Every byte is written, and every byte read, at the speed of memset. */
static uint64_t fill(int round, size_t size)
{
    memset(message, round & 0xFF, size);
    return message[0] * (size / 8);
}

static uint64_t sum_up(size_t size)
{
    uint64_t sum[8] = {0};
    size_t i, k;

    for (i = 0; i + 8 <= size / 8; i += 8)
        for (k = 0; k < 8; k++)
            sum[k] += message[i + k];
    for (; i < size / 8; i++)
        sum[0] += message[i];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

/* ---- the other process ---- */

static void begin(struct page *page)
{
    __atomic_store_n(&page->ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&page->go, __ATOMIC_ACQUIRE))
        usleep(100);
}

static int other(mp_child *self, void *user)
{
    mp_queue *there = mp_child_queue(self, 0), *back = mp_child_queue(self, 1);
    mp_array *array = mp_child_array(self, 2);
    const void *bytes = mp_child_bytes(self, 3, NULL);
    struct page *page;
    uint64_t sum = 0;
    struct job job;
    void *data;
    int i;

    (void)user;
    if (there == NULL || back == NULL || bytes == NULL || mp_array_data(array, &data, NULL) < 0)
        bench_die("the child's arguments");
    page = data;
    memcpy(&job, bytes, sizeof job);
    begin(page);
    for (i = 0; i < job.count; i++) {
        if (job.size > 0) {
            sum += fill(i, job.size);
            put(job.subject, there, job.there[1], job.size);
        } else {
            get(job.subject, there, job.there[0], 8);
            put(job.subject, back, job.back[1], 8);
        }
    }
    page->sum = sum;
    return 0;
}

/* A round, by a fresh child and fresh queues and pipes: the figure. */
static double run(int subject, size_t size, int count, int64_t rest, mp_array *array,
                  struct page *page)
{
    const struct timespec pause = {0, (long)rest};
    struct job job = {subject, count, size, {0, 0}, {0, 0}};
    static double trips[TRIPS];
    mp_queue_options ring = MP_QUEUE_OPTIONS;
    mp_queue *there, *back;
    mp_process *process;
    uint64_t sum = 0;
    double figure;
    int64_t began;
    int i, code;

    page->ready = page->go = 0;
    ring.ring = 64 << 10;
    if (mp_queue_new(&there, &ring) < 0 || mp_queue_new(&back, &ring) < 0 || pipe(job.there) != 0 ||
        pipe(job.back) != 0)
        bench_die("setup");
    if (mp_process_new(&process, other, NULL, NULL) < 0 ||
        mp_process_add_handle(process, there) < 0 || mp_process_add_handle(process, back) < 0 ||
        mp_process_add_handle(process, array) < 0 ||
        mp_process_add_bytes(process, &job, sizeof job) < 0 || mp_process_start(process) < 0)
        bench_die("start");
    while (!__atomic_load_n(&page->ready, __ATOMIC_ACQUIRE))
        usleep(100);
    began = bench_now();
    __atomic_store_n(&page->go, 1, __ATOMIC_RELEASE);
    if (size > 0) {
        /* The first message opens the round. */
        get(subject, there, job.there[0], size);
        sum = sum_up(size);
        began = bench_now();
        for (i = 1; i < count; i++) {
            get(subject, there, job.there[0], size);
            sum += sum_up(size);
        }
        figure = (double)(count - 1) * 1e9 / (double)(bench_now() - began);
    } else {
        for (i = 0; i < count; i++) {
            if (rest > 0)
                nanosleep(&pause, NULL);
            began = bench_now();
            put(subject, there, job.there[1], 8);
            get(subject, back, job.back[0], 8);
            trips[i] = (double)(bench_now() - began);
        }
        figure = bench_median(trips, (size_t)count);
    }
    if (mp_process_join(process, MP_FOREVER) < 0 || mp_process_exitcode(process, &code) < 0 ||
        mp_process_free(process) < 0 || code != 0)
        bench_die("join");
    if (size > 0 && sum != page->sum) {
        fprintf(stderr, "bench_queue: what was got is not what was put\n");
        exit(1);
    }
    close(job.there[0]);
    close(job.there[1]);
    close(job.back[0]);
    close(job.back[1]);
    if (mp_queue_free(there) < 0 || mp_queue_free(back) < 0)
        bench_die("free");
    return figure;
}

/* ---- the table ---- */

struct kind {
    const struct row *row;      /* NULL: round trips */
    int64_t rest;
    mp_array *array;
    struct page *page;
};

static double measure(void *user, int subject, double *second)
{
    const struct kind *kind = user;
    const struct row *row = kind->row;

    (void)second;
    return run(subject, row == NULL ? 0 : row->size, row == NULL ? TRIPS : row->count[subject], kind->rest,
               kind->array, kind->page);
}

int main(int argc, char **argv)
{
    static const struct bench_subject subjects[SUBJECTS] = {{"libmp", false}, {"pipe(2)", false}};
    static const double one[SUBJECTS] = {0, 1};
    double figures[SUBJECTS * ROUNDS], marks[SUBJECTS] = {0, 0};
    struct kind kind = {NULL, 0, NULL, NULL};
    size_t i;
    void *data;

    bench_begin(argc, argv);
    if (mp_array_new(&kind.array, MP_UINT8, sizeof *kind.page, NULL, NULL) < 0 ||
        mp_array_data(kind.array, &data, NULL) < 0)
        bench_die("setup");
    kind.page = data;
    bench_head();
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!bench_wanted(rows[i].name))
            continue;
        kind.row = &rows[i];
        marks[1] = rows[i].mark;
        bench_rounds(measure, &kind, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows(rows[i].name, subjects, SUBJECTS, ROUNDS, figures, 1e3, "k/s", false, HIGH, marks);
    }
    kind.row = NULL;
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? "round trip, at once" : "round trip, rested";

        if (!bench_wanted(name))
            continue;
        kind.rest = i == 0 ? 0 : 100000;
        bench_rounds(measure, &kind, subjects, SUBJECTS, ROUNDS, figures, NULL);
        bench_rows(name, subjects, SUBJECTS, ROUNDS, figures, 1e3, "us", false, LOW, one);
    }
    if (mp_array_free(kind.array) < 0)
        bench_die("free");
    return 0;
}
