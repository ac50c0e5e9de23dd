/* The priority queue beside those that one would use instead.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. Each row holds a queue at so many messages of 8
 * bytes: what is timed is one get and one put with a later priority, by chance, which is how a queue of events
 * is used. "by 2" are two processes at the same queue, and the time is that of one pair with both at work. "a heap
 * under a mutex" is a binary heap of the same messages in shared memory, under a pthread mutex that tells of dead
 * holders: whose heap is torn by a kill, and which has no limit to wait for, no sleepers and no leases. CPython's are
 * queue.PriorityQueue, which is of one process, and the same behind a manager. "lease + acknowledge" is libmp's own
 * pair in the place of a get.
 */
#include "bench.h"
#include <pthread.h>
#include <stdio.h>

enum { LIBMP, HEAP, LEASES, SUBJECTS };
enum { ROUNDS = 9, PAIRS = 50000, MOST = 20000 };
#define RACE_NS (100 * 1000 * 1000)

static struct bench_subject subjects[SUBJECTS] = {
    {"libmp", false}, {"a heap under a mutex", false}, {"lease + acknowledge", false}};

struct message {
    int64_t priority;
    uint64_t sequence, bytes;
};

static struct shared {
    pthread_mutex_t lock;
    uint64_t sequence;
    int count;
    struct message heap[MOST];
    struct {
        int64_t pairs;
        char line[BENCH_LINE];
    } racer[BENCH_MOST];
} *shared;
static mp_priority_queue *queue;

static bool before(const struct message *a, const struct message *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->sequence < b->sequence;
}

static void lock(void)
{
    int e = pthread_mutex_lock(&shared->lock);

    if (e != 0)
        bench_die("pthread_mutex_lock");
}

static void heap_put(int64_t priority, uint64_t bytes)
{
    struct message m = {priority, 0, bytes};
    int at;

    lock();
    m.sequence = shared->sequence++;
    for (at = shared->count++; at > 0 && before(&m, &shared->heap[(at - 1) / 2]);
         at = (at - 1) / 2)
        shared->heap[at] = shared->heap[(at - 1) / 2];
    shared->heap[at] = m;
    pthread_mutex_unlock(&shared->lock);
}

static struct message heap_get(void)
{
    struct message first, last;
    int at = 0, child;

    lock();
    first = shared->heap[0];
    last = shared->heap[--shared->count];
    while ((child = 2 * at + 1) < shared->count) {
        if (child + 1 < shared->count && before(&shared->heap[child + 1], &shared->heap[child]))
            child++;
        if (!before(&shared->heap[child], &last))
            break;
        shared->heap[at] = shared->heap[child];
        at = child;
    }
    shared->heap[at] = last;
    pthread_mutex_unlock(&shared->lock);
    return first;
}

static uint64_t chance(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void put(int subject, int64_t priority, uint64_t bytes)
{
    if (subject == HEAP)
        heap_put(priority, bytes);
    else if (mp_priority_queue_put(queue, &bytes, sizeof bytes, priority, MP_FOREVER) < 0)
        bench_die("mp_priority_queue_put");
}

static void pair(int subject, uint64_t *state)
{
    int64_t priority;
    uint64_t bytes, lease;

    if (subject == HEAP) {
        struct message m = heap_get();

        priority = m.priority;
        bytes = m.bytes;
    } else if (subject == LIBMP) {
        if (mp_priority_queue_get(queue, &bytes, sizeof bytes, NULL, &priority, NULL, MP_FOREVER) < 0)
            bench_die("mp_priority_queue_get");
    } else if (mp_priority_queue_lease(queue, &bytes, sizeof bytes, NULL, &priority, NULL, &lease,
                                       MP_FOREVER) < 0 ||
               mp_priority_queue_acknowledge(queue, lease) < 0) {
        bench_die("mp_priority_queue_lease");
    }
    put(subject, priority + (int64_t)(chance(state) % 1000), bytes);
}

struct setting {
    int messages, processes, subject;
};

static void race(void *user, int index)
{
    const struct setting *s = user;
    uint64_t state = 88172645463325252u + (uint64_t)index;
    int64_t pairs = 0;

    while (!bench_stopped()) {
        int i;

        for (i = 0; i < 16; i++)
            pair(s->subject, &state);
        pairs += i;
    }
    shared->racer[index].pairs = pairs;
}

static double measure(void *user, int subject, double *second)
{
    struct setting s = *(struct setting *)user;
    uint64_t state = 88172645463325252u;
    int64_t began, took, pairs = 0;
    int i;

    (void)second;
    if (mp_priority_queue_new(&queue, NULL) < 0)
        bench_die("mp_priority_queue_new");
    shared->count = 0;
    for (i = 0; i < s.messages; i++)
        put(subject, (int64_t)(chance(&state) % 1000), (uint64_t)i);
    if (s.processes == 1) {
        began = bench_now();
        for (i = 0; i < PAIRS; i++)
            pair(subject, &state);
        took = bench_now() - began;
        pairs = PAIRS;
    } else {
        s.subject = subject;
        took = bench_race(s.processes, APART, RACE_NS, race, &s);
        for (i = 0; i < s.processes; i++)
            pairs += shared->racer[i].pairs;
    }
    mp_priority_queue_free(queue);
    return (double)took / (double)pairs;
}

/* Nanoseconds for one pair with so many messages in it; false where there is no CPython. */
static bool python(int messages, bool manager, double *ns)
{
    char command[1400];
    FILE *out;
    bool fine;

    snprintf(command, sizeof command,
             "python3 -c \"\n"
             "import queue, random, time\n"
             "from multiprocessing.managers import BaseManager\n"
             "class M(BaseManager): pass\n"
             "M.register('Q', queue.PriorityQueue)\n"
             "if __name__ == '__main__':\n"
             "    m = M()\n"
             "    if %d: m.start()\n"
             "    q = m.Q() if %d else queue.PriorityQueue()\n"
             "    for i in range(%d): q.put((random.randrange(1000), i))\n"
             "    n = %d\n"
             "    t = time.perf_counter()\n"
             "    for i in range(n):\n"
             "        p, x = q.get()\n"
             "        q.put((p + random.randrange(1000), x))\n"
             "    print((time.perf_counter() - t) / n * 1e9)\n"
             "    if %d: m.shutdown()\n"
             "\" 2>/dev/null",
             manager, manager, messages, manager ? 2000 : 50000, manager);
    out = popen(command, "r");
    fine = out != NULL && fscanf(out, "%lf", ns) == 1;
    if (out != NULL)
        pclose(out);
    return fine;
}

static void rows(const char *name, struct setting s, bool peers)
{
    static const char *const names[] = {"CPython queue", "CPython manager"};
    double figures[SUBJECTS * ROUNDS], marks[SUBJECTS] = {0}, ours, ns;
    int i;

    if (!bench_wanted(name))
        return;
    bench_rounds(measure, &s, subjects, SUBJECTS, ROUNDS, figures, NULL);
    bench_rows(name, subjects, SUBJECTS, ROUNDS, figures, 1, "ns", false, NO_MARK, marks);
    ours = bench_median(figures, ROUNDS);
    for (i = 0; i < 2 && peers; i++) {
        if (python(s.messages, i == 1, &ns))
            bench_row("", ours, NULL, names[i], ns, NULL, "ns", NO_MARK, 0);
        else
            bench_missing(name, names[i]);
    }
}

int main(int argc, char **argv)
{
    pthread_mutexattr_t attributes;

    bench_begin(argc, argv);
    shared = bench_shared(sizeof *shared);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->lock, &attributes);
    bench_head();
    rows("priority queue, get + put, 10 in it", (struct setting){10, 1, 0}, true);
    rows("priority queue, get + put, 10,000 in it", (struct setting){10000, 1, 0}, true);
    rows("priority queue, get + put by 2, 10 in it", (struct setting){10, 2, 0}, false);
    rows("priority queue, get + put by 2, 10,000 in it", (struct setting){10000, 2, 0}, false);
    return 0;
}
