/* A manager's dict beside what one would use instead, in one run: clients that get or set one key each, one request
 * after the other, without pipelining.
 *
 * How to read it: bench.h says what rounds, ratios and marks are. Clients are processes that have connected and made
 * one request before the clock begins. Redis is driven by hiredis, and saves nothing to disk. CPython's is
 * Manager().dict(), over a Unix socket. A figure is requests a second, of all clients together.
 *
 * "memory of an entry" is by how much the server's resident memory grows for each of 200,000 keys of 8 bytes with
 * values of 8 bytes.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_HIREDIS
#include <hiredis/hiredis.h>
#else
typedef void redisContext;
#endif

enum { LIBMP, REDIS, PYTHON, SUBJECTS };
enum { ROUNDS = 3, WINDOW_NS = 100000000, LARGEST = 1 << 20, ENTRIES = 200000, TOGETHER_MOST = 1000 };

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *const transports[] = {"Unix", "TCP"};

struct load {
    bool set, tcp;
    int clients;
    size_t size;
};

/* What clients that are processes share. */
static struct board {
    int ready;
    int64_t begin;
    double rates[BENCH_MOST];
} *board;

static mp_manager *managers[2];
static mp_proxy *dicts[2];
static char redis_path[64], value[LARGEST];
static int redis_port;
static pid_t redis_pid;

/* ---- Redis ---- */

#ifdef HAVE_HIREDIS
static redisContext *redis_open(bool tcp)
{
    redisContext *c = tcp ? redisConnect("127.0.0.1", redis_port) : redisConnectUnix(redis_path);

    if (c != NULL && c->err != 0) {
        redisFree(c);
        c = NULL;
    }
    return c;
}

static void redis_ask(redisContext *c, int count, const char **words, const size_t *sizes, size_t want)
{
    redisReply *reply = redisCommandArgv(c, count, words, sizes);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR || (want > 0 && reply->len != want))
        bench_die("Redis");
    freeReplyObject(reply);
}

static void redis_one(redisContext *c, const char *key, const struct load *load)
{
    const char *words[] = {load->set ? "SET" : "GET", key, value};
    const size_t sizes[] = {3, strlen(key), load->size};

    redis_ask(c, load->set ? 3 : 2, words, sizes, load->set ? 0 : load->size);
}

static void redis_fill(void)
{
    static const char *words[1 + 2 * TOGETHER_MOST] = {"MSET"};
    static size_t sizes[1 + 2 * TOGETHER_MOST] = {4};
    static char keys[TOGETHER_MOST][9];
    redisContext *c = redis_open(false);
    int i, j;

    for (i = 0; i < ENTRIES; i += TOGETHER_MOST) {
        for (j = 0; j < TOGETHER_MOST; j++) {
            snprintf(keys[j], sizeof keys[j], "%08d", i + j);
            words[1 + 2 * j] = keys[j];
            words[2 + 2 * j] = value;
            sizes[1 + 2 * j] = sizes[2 + 2 * j] = 8;
        }
        redis_ask(c, 1 + 2 * TOGETHER_MOST, words, sizes, 0);
    }
    redisFree(c);
}

static void redis_start(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof any;
    int s = socket(AF_INET, SOCK_STREAM, 0), tries;
    redisContext *c = NULL;
    char port[16];

    /* A port that was free a moment ago. */
    if (bind(s, (struct sockaddr *)&any, size) != 0 || getsockname(s, (struct sockaddr *)&any, &size) != 0)
        return;
    redis_port = ntohs(any.sin_port);
    close(s);
    snprintf(redis_path, sizeof redis_path, "/tmp/bench-redis-%d", (int)getpid());
    snprintf(port, sizeof port, "%d", redis_port);
    redis_pid = fork();
    if (redis_pid == 0) {
        if (freopen("/dev/null", "w", stdout) != NULL)
            execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", port, "--unixsocket", redis_path,
                   "--save", "", "--appendonly", "no", (char *)NULL);
        _exit(127);
    }
    for (tries = 0; tries < 500 && c == NULL && waitpid(redis_pid, NULL, WNOHANG) == 0; tries++) {
        usleep(10000);
        c = redis_open(false);
    }
    if (c == NULL)
        redis_pid = 0;
    else
        redisFree(c);
}

static void redis_stop(void)
{
    if (redis_pid > 0) {
        kill(redis_pid, SIGTERM);
        waitpid(redis_pid, NULL, 0);
        unlink(redis_path);
    }
}
#else
static redisContext *redis_open(bool tcp) { return tcp ? NULL : NULL; }
static void redis_one(redisContext *c, const char *key, const struct load *load) { (void)c, (void)key, (void)load; }
static void redis_fill(void) {}
static void redis_start(void) {}
static void redis_stop(void) {}
#endif

/* ---- clients ---- */

static void libmp_one(const char *key, const struct load *load)
{
    mp_proxy *dict = dicts[load->tcp];
    mp_answer *answer;
    mp_item item;

    if (load->set) {
        if (mp_proxy_set(dict, mp_item_text(key), mp_item_bytes(value, load->size)) < 0)
            bench_die("set");
        return;
    }
    if (mp_proxy_get(dict, mp_item_text(key), &answer) < 0 || mp_answer_item(answer, 0, &item) < 0 ||
        item.data_size != load->size || mp_answer_free(answer) < 0)
        bench_die("get");
}

struct race {
    const struct load *load;
    int subject;
};

static void client(void *user, int index)
{
    const struct race *race = user;
    struct load first = *race->load;
    redisContext *redis = NULL;
    int64_t begin, now, count = 0;
    char key[16];

    snprintf(key, sizeof key, "key:%d", index);
    first.set = true;
    if (race->subject == REDIS)
        redis_one(redis = redis_open(first.tcp), key, &first);
    else
        libmp_one(key, &first);
    if (__atomic_add_fetch(&board->ready, 1, __ATOMIC_SEQ_CST) == first.clients)
        __atomic_store_n(&board->begin, bench_now() + 1000000, __ATOMIC_SEQ_CST);
    while ((begin = __atomic_load_n(&board->begin, __ATOMIC_SEQ_CST)) == 0)
        usleep(200);
    do {
        if (race->subject == REDIS)
            redis_one(redis, key, race->load);
        else
            libmp_one(key, race->load);
        count++;
        now = bench_now();
    } while (now < begin + WINDOW_NS);
    board->rates[index] = (double)count * 1e9 / (double)(now - begin);
}

static double measure(void *user, int subject, double *second)
{
    struct load *load = user;
    struct race race = {load, subject};
    double sum = 0;
    char name[32];
    int i;

    (void)second;
    if (subject == PYTHON) {
        snprintf(name, sizeof name, "manager-%s-%d", load->set ? "set" : "get", load->clients);
        return 1e9 / bench_python(name, ANYWHERE);
    }
    board->ready = 0;
    board->begin = 0;
    bench_race(load->clients, ANYWHERE, 0, client, &race);
    for (i = 0; i < load->clients; i++)
        sum += board->rates[i];
    return sum;
}

static void row(bool set, bool tcp, int clients, size_t size, const char *size_name)
{
    struct load load = {set, tcp, clients, size};
    const bool is_python = !tcp && size == 8;
    const struct bench_subject subjects[] = {
        {"libmp", false}, {"Redis", redis_pid == 0}, {"py Manager", !is_python || !bench_python_is_there()}};
    const double marks[SUBJECTS] = {0, clients == 1 ? 2 : 1.2, 3};
    double figures[SUBJECTS * ROUNDS];
    char name[64];

    snprintf(name, sizeof name, "%s, %s, %s, %d client%s", set ? "set" : "get", size_name, transports[tcp], clients,
             clients > 1 ? "s" : "");
    if (!bench_wanted(name))
        return;
    bench_rounds(measure, &load, subjects, is_python ? SUBJECTS : PYTHON, ROUNDS, figures, NULL);
    bench_rows(name, subjects, is_python ? SUBJECTS : PYTHON, ROUNDS, figures, 1e3, "k/s", SPREAD, HIGH, marks);
}

/* ---- memory ---- */

static double resident(int pid)
{
    char path[64];
    long pages = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        bench_die(path);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void libmp_fill(mp_proxy *dict)
{
    static mp_item items[2 * TOGETHER_MOST];
    static char keys[TOGETHER_MOST][9];
    int i, j;

    for (i = 0; i < ENTRIES; i += TOGETHER_MOST) {
        for (j = 0; j < TOGETHER_MOST; j++) {
            snprintf(keys[j], sizeof keys[j], "%08d", i + j);
            items[2 * j] = mp_item_bytes(keys[j], 8);
            items[2 * j + 1] = mp_item_bytes(value, 8);
        }
        if (mp_proxy_call(dict, "update", items, 2 * TOGETHER_MOST, NULL, MP_NO_WAIT) < 0)
            bench_die("update");
    }
}

static void memory_row(void)
{
    static const char name[] = "memory of an entry";
    double before, ours, theirs;
    mp_proxy *dict;
    int pid;

    if (!bench_wanted(name))
        return;
    if (mp_manager_pid(managers[0], &pid) < 0 || mp_manager_create(managers[0], &dict, "dict", NULL, 0) < 0)
        bench_die("dict");
    before = resident(pid);
    libmp_fill(dict);
    ours = (resident(pid) - before) / ENTRIES;
    if (redis_pid == 0) {
        bench_missing(name, "Redis");
        return;
    }
    before = resident(redis_pid);
    redis_fill();
    theirs = (resident(redis_pid) - before) / ENTRIES;
    bench_row(name, ours, NULL, "Redis", theirs, NULL, "B", NO_MARK, 0);
    mp_proxy_free(dict);
}

int main(int argc, char **argv)
{
    static const struct {
        size_t size;
        const char *name;
    } sizes[] = {{8, "8 B"}, {1024, "1 KiB"}, {65536, "64 KiB"}, {LARGEST, "1 MiB"}};
    static const int clients[] = {1, 4, 50};
    mp_manager_options options = MP_MANAGER_OPTIONS;
    size_t s, c;
    int i;

    bench_begin(argc, argv);
    board = bench_shared(sizeof *board);
    redis_start();
    for (i = 0; i < 2; i++) {
        options.address = i == 0 ? NULL : "127.0.0.1:0";
        if (mp_manager_new(&managers[i], &options) < 0 || mp_manager_start(managers[i]) < 0 ||
            mp_manager_create(managers[i], &dicts[i], "dict", NULL, 0) < 0)
            bench_die("manager");
    }
    bench_head();
    memory_row();
    for (i = 0; i < 4; i++)
        for (s = 0; s < COUNT(sizes); s++)
            for (c = 0; c < COUNT(clients); c++)
                row(i % 2 != 0, i / 2 != 0, clients[c], sizes[s].size, sizes[s].name);
    for (i = 0; i < 2; i++) {
        mp_proxy_free(dicts[i]);
        mp_manager_free(managers[i]);
    }
    redis_stop();
    return 0;
}
