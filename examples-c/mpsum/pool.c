/* Hands the files to a pool of worker processes and collects what they answer. */
#include "mpsum.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 32768,              /* files in one map: bounds the memory for inputs and results */
    SMALL = 1024 * 1024         /* below this a file is hashed too soon to leave a core idle */
};

struct run {
    struct list *list;
    struct job *job;
    size_t count, workers;
    mp_pool *pool;
    struct bar bar;
};

static int fatal(void)
{
    complain(NULL, mp_last_error());
    return -1;
}

/* Largest first: a large file that began last would run on alone. The small ones stay in the
 * list's order, in which they are close to each other on the disk. */
static int by_size(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    uint64_t p = x->size < SMALL ? 0 : x->size, q = y->size < SMALL ? 0 : y->size;

    if (p != q)
        return p > q ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static int make_jobs(struct run *run)
{
    const struct list *list = run->list;
    size_t i;

    run->job = calloc(list->count > 0 ? list->count : 1, sizeof *run->job);
    if (run->job == NULL) {
        complain(NULL, "Out of memory");
        return -1;
    }
    for (i = 0; i < list->count; i++)
        if (list->file[i].task != NULL) {
            run->job[run->count].size = list->file[i].size;
            run->job[run->count++].index = i;
        }
    if (run->count > 0)
        qsort(run->job, run->count, sizeof *run->job, by_size);
    return 0;
}

static int make_pool(struct run *run)
{
    mp_pool_options options = MP_POOL_OPTIONS;

    options.workers = run->workers > 0 ? run->workers : mp_cpu_count();
    if (options.workers > run->count)
        options.workers = run->count;
    if (mp_pool_new(&run->pool, &options) < 0 || mp_pool_workers(run->pool, &run->workers) < 0)
        return fatal();
    return 0;
}

/* Takes a result over into the list. A task whose worker died has none. */
static void collect(struct file *file, mp_buffer *buffer)
{
    size_t length;
    const void *data;

    if (buffer == NULL)
        return;
    data = mp_buffer_data(buffer, &length);
    if (data != NULL && length == sizeof file->result)
        memcpy(&file->result, data, length);
    mp_buffer_free(buffer);
}

/* Hashes the jobs from `first` on, `count` of them, and answers the map's status. */
static mp_status map(struct run *run, size_t first, size_t count, mp_bytes *in, mp_buffer **out)
{
    mp_map_options options = MP_MAP_OPTIONS;
    mp_status status;
    size_t i;

    for (i = 0; i < count; i++) {
        in[i].data = run->list->file[run->job[first + i].index].task;
        in[i].len = strlen(in[i].data) + 1;
        out[i] = NULL;
    }
    run->bar.before = first;
    options.chunk = 1;
    options.run_all = true;     /* one dead worker costs one file, not all that follow */
    options.progress = bar_step;
    options.progress_user = &run->bar;
    status = mp_pool_map(run->pool, hash_task, NULL, in, count, out, &options);
    for (i = 0; i < count; i++)
        collect(&run->list->file[run->job[first + i].index], out[i]);
    return status;
}

/* A batch grows beyond its usual size until its other files take as long as its largest one does:
 * the next batch begins only when all of this one is done. */
static size_t batch_end(const struct run *run, size_t first)
{
    uint64_t largest = run->job[first].size, rest = 0;
    size_t end = first;

    while (end < run->count && (end - first < BATCH || rest / run->workers < largest))
        rest += run->job[end++].size;
    return end;
}

static int map_batch(struct run *run, size_t first, size_t end)
{
    size_t count = end - first;
    mp_bytes *in = calloc(count, sizeof *in);
    mp_buffer **out = calloc(count, sizeof *out);
    mp_status status = MP_ERR_NO_MEMORY;
    int answer = 0;

    if (in != NULL && out != NULL)
        status = map(run, first, count, in, out);
    if (in == NULL || out == NULL) {
        bar_end(&run->bar);
        complain(NULL, "Out of memory");
        answer = -1;
    } else if (status < 0 && status != MP_ERR_WORKER_DIED && status != MP_ERR_TASK_FAILED) {
        bar_end(&run->bar);
        answer = status == MP_ERR_CANCELLED && interrupted ? -1 : fatal();
    }
    free(in);
    free(out);
    return answer;
}

/* A file whose worker died, by an impatient operator or for want of memory, gets a second chance.
 * Each in a map of its own: then the library's sentence is about this file. */
static int try_again(struct run *run)
{
    size_t i;

    for (i = 0; i < run->count; i++) {
        struct file *file = &run->list->file[run->job[i].index];
        mp_status status;
        mp_buffer *out;
        mp_bytes in;

        if (file->result.error != NOT_DONE)
            continue;
        complain(file_name(file), "its worker died; trying once more");
        status = map(run, i, 1, &in, &out);
        if (interrupted)
            return -1;
        if (status < 0) {
            complain(file_name(file), mp_last_error());
            file->result.error = REPORTED;
        }
    }
    return 0;
}

int hash_files(struct list *list, size_t workers)
{
    struct run run;
    size_t first, end = 0;
    int answer;

    memset(&run, 0, sizeof run);
    run.list = list;
    run.workers = workers;
    answer = make_jobs(&run);
    if (answer == 0 && run.count > 0)
        answer = make_pool(&run);
    if (answer == 0 && run.count > 0) {
        bar_begin(&run.bar, run.job, run.count, run.workers);
        for (first = 0; answer == 0 && first < run.count; first = end) {
            end = batch_end(&run, first);
            answer = map_batch(&run, first, end);
        }
        bar_end(&run.bar);
        run.bar.on = 0;
        if (answer == 0)
            answer = try_again(&run);
    }
    if (mp_pool_free(run.pool) < 0)
        answer = fatal();
    free(run.job);
    return answer;
}
