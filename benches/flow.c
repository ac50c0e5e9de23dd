/* See flow.h. */
#include "flow.h"
#include "peers/kernel.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 1 << 20, TRIPS = 1 << 18, WARM_MS = 30, WINDOW_MS = 150, GRACE_MS = 500, PATIENCE_MS = 5000 };

/* Each process writes lines of its own. */
static struct page {
    struct {
        uint64_t messages;
        int ready, done;
        char line[BENCH_LINE];
    } one[BENCH_MOST];
    int go, stop;
    char line[BENCH_LINE];
    double trip;
} *page;

static uint64_t message[LONGEST / 8];

/* What runs now. */
struct run {
    const struct peer *peer;
    struct peer_channel there, back;    /* back: of round trips only */
    int processes;
    bool trips;
    int64_t rest;
    enum bench_place place;
};

static void sleep_ns(int64_t ns)
{
    const struct timespec length = {ns / 1000000000, ns % 1000000000};

    nanosleep(&length, NULL);
}

static bool stopped(void)
{
    return __atomic_load_n(&page->stop, __ATOMIC_RELAXED) != 0;
}

/* ---- one message ---- */

static unsigned byte_of(uint64_t number)
{
    return (unsigned)(number * 7 + 1) & 0xFF;
}

/* Every byte is written, at the speed of memset, and every byte read. */
static uint64_t sum_up(const void *data, size_t size)
{
    const uint64_t *words = data;
    uint64_t sum[8] = {0};
    size_t i, k;

    for (i = 0; i + 8 <= size / 8; i += 8)
        for (k = 0; k < 8; k++)
            sum[k] += words[i + k];
    for (; i < size / 8; i++)
        sum[0] += words[i];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

static bool put(const struct peer *peer, struct peer_channel *channel, uint64_t number)
{
    void *place = peer->lend == NULL ? message : peer->lend(channel);

    if (place == NULL)
        return false;
    memset(place, (int)byte_of(number), channel->size);
    return peer->lend == NULL ? peer->put(channel, message) : peer->commit(channel);
}

/* With one producer the messages come in its order. */
static bool get(const struct peer *peer, struct peer_channel *channel, uint64_t number)
{
    const void *place = message;
    uint64_t wanted, sum;

    if (peer->lend == NULL ? !peer->get(channel, message) : (place = peer->peek(channel)) == NULL)
        return false;
    sum = sum_up(place, channel->size);
    wanted = channel->producers == 1 ? byte_of(number) : *(const unsigned char *)place;
    if (peer->lend != NULL)
        peer->release(channel);
    if (sum == wanted * 0x0101010101010101 * (channel->size / 8))
        return true;
    fprintf(stderr, "bench: what was got is not what was put\n");
    _exit(1);
}

/* ---- the processes ---- */

static void join(const struct run *run, struct peer_channel *channel, bool puts, int index)
{
    if (run->peer->join != NULL && !run->peer->join(channel, puts, index)) {
        perror("bench: joining a channel");
        _exit(1);
    }
}

static void ready(int index)
{
    __atomic_store_n(&page->one[index].ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&page->go, __ATOMIC_ACQUIRE))
        sleep_ns(100000);
}

static void stream(struct run *run, int index)
{
    bool puts = index >= run->there.consumers;
    uint64_t number = 0;

    join(run, &run->there, puts, puts ? index - run->there.consumers : index);
    ready(index);
    while (!stopped() && (puts ? put(run->peer, &run->there, number) : get(run->peer, &run->there, number)))
        __atomic_store_n(&page->one[index].messages, ++number, __ATOMIC_RELAXED);
    if (!stopped())
        fprintf(stderr, "bench: a %s fails: %s\n", puts ? "put" : "get",
                run->peer == &peer_libmp ? mp_last_error() : strerror(errno));
    if (run->peer->leave != NULL)
        run->peer->leave(&run->there);
}

/* The first asks until it is told to stop. The other answers as long as there may be a question. */
static void trips(struct run *run, int index)
{
    const struct peer *peer = run->peer;
    uint64_t number, counted = 0;
    double *took = malloc(TRIPS * sizeof *took);
    int64_t began;

    join(run, &run->there, index == 0, 0);
    join(run, &run->back, index != 0, 0);
    ready(index);
    for (number = 0; took != NULL && (index != 0 || !stopped()); number++) {
        if (run->rest > 0 && index == 0)
            sleep_ns(run->rest);
        began = bench_now();
        if (index == 0 ? !(put(peer, &run->there, number) && get(peer, &run->back, number))
                       : !(get(peer, &run->there, number) && put(peer, &run->back, number)))
            break;
        /* The first ones make connections. */
        if (number >= 20)
            took[counted++ % TRIPS] = (double)(bench_now() - began);
        __atomic_store_n(&page->one[index].messages, number + 1, __ATOMIC_RELAXED);
    }
    if (index == 0 && counted > 0)
        page->trip = bench_median(took, counted < TRIPS ? counted : TRIPS);
    if (peer->leave != NULL) {
        peer->leave(&run->there);
        peer->leave(&run->back);
    }
    free(took);
}

static uint64_t got(const struct run *run)
{
    uint64_t all = 0;
    int i;

    for (i = 0; i < run->there.consumers; i++)
        all += __atomic_load_n(&page->one[i].messages, __ATOMIC_RELAXED);
    return all;
}

/* Until all are ready, or one message came; false after some seconds. */
static bool wait_for_all(const struct run *run, bool message_came)
{
    int i, ms;

    for (ms = 0; ms < PATIENCE_MS; ms++, sleep_ns(1000000)) {
        if (message_came && got(run) > 0)
            return true;
        for (i = 0; !message_came && i < run->processes; i++)
            if (!__atomic_load_n(&page->one[i].ready, __ATOMIC_ACQUIRE))
                break;
        if (!message_came && i == run->processes)
            return true;
    }
    return false;
}

/* Who waits for a message that nobody will put is killed, in good time where that leaves nothing behind. */
static bool end(const struct run *run, const pid_t *pid)
{
    bool well = true;
    int i, ms, left = run->processes, status;
    bool gone[BENCH_MOST] = {false};

    __atomic_store_n(&page->stop, 1, __ATOMIC_RELAXED);
    for (ms = run->trips || run->peer->leave != NULL ? GRACE_MS : 5; left > 0; ms--, sleep_ns(1000000)) {
        /* The first of round trips has its figure to work out. */
        if (run->trips && run->peer->leave == NULL && gone[0])
            ms = 0;
        for (i = 0; i < run->processes; i++) {
            if (gone[i])
                continue;
            if (ms <= 0)
                kill(pid[i], SIGKILL);
            if (waitpid(pid[i], &status, ms <= 0 ? 0 : WNOHANG) == 0)
                continue;
            gone[i] = true;
            left--;
            if (WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL)
                well = false;
        }
    }
    return well;
}

/* ---- a process ---- */

static void begin(struct run *run, int index, pid_t parent)
{
    /* Nobody else would end it if the bench were ended. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    bench_pin(run->place, index);
    (run->trips ? trips : stream)(run, index);
}

/* What a child of libmp's finds where it was forked. */
static struct {
    struct run *run;
    int index;
    pid_t parent;
} started;

static int in_child(mp_child *self, void *user)
{
    (void)user;
    started.run->there.given = mp_child_connection(self, 0);
    started.run->back.given = started.run->trips ? mp_child_connection(self, 1) : NULL;
    begin(started.run, started.index, started.parent);
    return 0;
}

/* A child of libmp's: only such a one can be given an end of a pipe. */
static mp_process *start(struct run *run, int index)
{
    bool puts = run->trips ? index == 0 : index >= run->there.consumers;
    mp_process *process;

    started.run = run;
    started.index = index;
    started.parent = getpid();
    if (mp_process_new(&process, in_child, NULL, NULL) < 0 ||
        mp_process_add_handle(process, run->peer->end(&run->there, puts)) < 0 ||
        (run->trips && mp_process_add_handle(process, run->peer->end(&run->back, !puts)) < 0) ||
        mp_process_start(process) < 0)
        bench_die(mp_last_error());
    return process;
}

/* Messages a second or nanoseconds a trip; 0: it failed, and *why tells. */
static double figure_of(struct run *run, const char **why)
{
    pid_t pid[BENCH_MOST], parent = getpid();
    int64_t began, took;
    mp_process *process[BENCH_MOST] = {NULL};
    double figure = 0;
    uint64_t before;
    bool well;
    int i;

    memset(page, 0, sizeof *page);
    fflush(stdout);
    for (i = 0; i < run->processes; i++) {
        if (run->peer->end != NULL) {
            process[i] = start(run, i);
            mp_process_pid(process[i], &pid[i]);
            continue;
        }
        pid[i] = fork();
        if (pid[i] < 0)
            bench_die("fork");
        if (pid[i] > 0)
            continue;
        begin(run, i, parent);
        _exit(0);
    }
    *why = "a process was not ready in time";
    if (wait_for_all(run, false)) {
        __atomic_store_n(&page->go, 1, __ATOMIC_RELEASE);
        *why = "no message came in time";
        if (wait_for_all(run, true)) {
            *why = "no message came while it was measured";
            sleep_ns(WARM_MS * 1000000);
            before = got(run);
            began = bench_now();
            sleep_ns(WINDOW_MS * 1000000);
            took = bench_now() - began;
            figure = (double)(got(run) - before) * 1e9 / (double)took;
        }
    }
    well = end(run, pid);
    for (i = 0; i < run->processes; i++)
        mp_process_free(process[i]);
    if (!well) {
        *why = "a process failed";
        return 0;
    }
    if (run->trips) {
        *why = "the trips were too few";
        return page->trip;
    }
    return figure;
}

/* ---- what is compared ---- */

struct table {
    const char *name;
    const struct flow_subject *subjects;
    const struct peer *peers[FLOW_MOST];
    struct bench_subject there[FLOW_MOST];
    size_t size;
    int producers, consumers;
    bool trips;
    int64_t rest;
    enum bench_place place;
};

/* What lies beside this program's executable. */
static void beside(char *text, size_t size, const char *folder, const char *file, const char *end)
{
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    self[n < 0 ? 0 : n] = '\0';
    if (strrchr(self, '/') != NULL)
        *strrchr(self, '/') = '\0';
    snprintf(text, size, "%s/%s/%s%s", self, folder, file, end);
}

static const struct peer *find(const struct flow_subject *subject)
{
    char path[600];
    void *library;

    if (subject->peer != NULL || subject->file == NULL)
        return subject->peer;
    beside(path, sizeof path, "peers", subject->file, ".so");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library == NULL ? NULL : dlsym(library, subject->symbol);
}

/* It says its figure on a line of its own, or nothing. The packages that only it needs are in a folder. */
static double ask_python(const struct table *table, const struct flow_subject *subject)
{
    char packages[600], program[600], command[1500];
    double figure = 0;
    FILE *output;

    beside(packages, sizeof packages, "peers", "python", "");
    beside(program, sizeof program, "peers", subject->file, ".py");
    snprintf(command, sizeof command, "PYTHONPATH='%s' python3 '%s' %s %s %zu %d %d %d %d", packages, program,
             subject->symbol, table->trips ? "trip" : "rate", table->size, table->producers, table->consumers,
             WARM_MS, WINDOW_MS);
    output = popen(command, "r");
    if (output == NULL)
        return 0;
    if (fscanf(output, "%lf", &figure) != 1)
        figure = 0;
    pclose(output);
    return table->trips ? figure * 1000 : figure;
}

static double measure(void *user, int subject, double *second)
{
    static int number;
    struct table *table = user;
    struct run run = {.peer = table->peers[subject], .trips = table->trips, .rest = table->rest,
                      .place = table->place};
    const char *why;
    double figure;

    (void)second;
    if (table->subjects[subject].python)
        return ask_python(table, &table->subjects[subject]);
    run.there = (struct peer_channel){.size = table->size, .producers = table->producers,
                                      .consumers = table->consumers, .stopped = stopped};
    run.back = run.there;
    run.there.number = number++;
    run.back.number = number++;
    run.processes = table->producers + table->consumers;
    if (run.peer->open(&run.there) != NULL)
        return 0;
    if (run.trips && run.peer->open(&run.back) != NULL)
        bench_die("a second channel");
    figure = figure_of(&run, &why);
    if (run.peer->close != NULL) {
        run.peer->close(&run.there);
        if (run.trips)
            run.peer->close(&run.back);
    }
    if (figure == 0)
        fprintf(stderr, "bench: %s: %s: %s\n", table->name, table->subjects[subject].name, why);
    return figure;
}

/* One that cannot be found, or cannot have such a channel, is not measured. */
static bool is_absent(struct table *table, int subject)
{
    const struct flow_subject *it = &table->subjects[subject];
    struct peer_channel channel = {.size = table->size, .producers = table->producers,
                                   .consumers = table->consumers, .number = -1 - subject, .stopped = stopped};
    const char *why;

    if (it->python)
        return ask_python(table, it) == 0;
    table->peers[subject] = find(it);
    if (table->peers[subject] == NULL)
        return true;
    why = table->peers[subject]->open(&channel);
    if (why == NULL && table->peers[subject]->close != NULL)
        table->peers[subject]->close(&channel);
    if (why != NULL)
        printf("%s: %s: %s\n", table->name, it->name, why);
    return why != NULL;
}

static void show(struct table *table, int count)
{
    static double figures[FLOW_MOST * FLOW_ROUNDS];
    double marks[FLOW_MOST];
    int s;

    if (!bench_wanted(table->name))
        return;
    if (page == NULL)
        page = bench_shared(sizeof *page);
    for (s = 0; s < count; s++) {
        table->there[s] = (struct bench_subject){table->subjects[s].name, is_absent(table, s)};
        marks[s] = table->subjects[s].mark;
    }
    bench_rounds(measure, table, table->there, count, FLOW_ROUNDS, figures, NULL);
    bench_rows(table->name, table->there, count, FLOW_ROUNDS, figures, 1e3, table->trips ? "us" : "k/s", SPREAD,
               table->trips ? LOW : HIGH, marks);
}

void flow_rate(const char *name, const struct flow_subject *subjects, int count, size_t size, int producers,
               int consumers, enum bench_place place)
{
    struct table table = {.name = name, .subjects = subjects, .size = size, .producers = producers,
                          .consumers = consumers, .place = place};

    show(&table, count);
}

void flow_trip(const char *name, const struct flow_subject *subjects, int count, size_t size, int64_t rest,
               enum bench_place place)
{
    struct table table = {.name = name, .subjects = subjects, .size = size, .producers = 1, .consumers = 1,
                          .trips = true, .rest = rest, .place = place};

    show(&table, count);
}
