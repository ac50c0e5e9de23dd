/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: types of the program's own. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

/* In the server: how many Counters there are, and the last call's handle. */
static atomic_int counters, inside;
static atomic_bool released;
static mp_call *last_call;

/* Counter(start): incr([more]) answers the sum. */
static void *counter_make(mp_call *call)
{
    int64_t *counter;

    if (mp_call_count(call) != 1) {
        CHECK_OK(mp_call_fail(call, MP_ERR_INVALID, "a Counter is made of one number"));
        return NULL;
    }
    counter = malloc(sizeof *counter);
    *counter = mp_call_int(call, 0);
    counters++;
    return counter;
}

static void counter_end(void *object)
{
    free(object);
    counters--;
}

static void counter_incr(mp_call *call, void *object)
{
    int64_t *counter = object;

    if (inside++ != 0)
        CHECK_OK(mp_call_fail(call, MP_ERR_STATE, "two at once"));
    *counter += mp_call_count(call) > 0 ? mp_call_int(call, 0) : 1;
    CHECK_OK(mp_call_return(call, mp_item_int(*counter)));
    inside--;
}

static void counter_str(mp_call *call, void *object)
{
    const int64_t *counter = object;

    CHECK_OK(mp_call_return(call, TEXT(*counter < 0 ? "Counter(below 0)" : "Counter(0 or more)")));
}

/* Another counter, which begins where this one is; and this again as an argument of its own. */
static void counter_copy(mp_call *call, void *object)
{
    int64_t *other = malloc(sizeof *other);

    CHECK_STATUS(mp_call_return_object(call, "Nothing", other), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_call_return_object(call, NULL, other), MP_ERR_INVALID);
    *other = *(int64_t *)object;
    counters++;
    CHECK_OK(mp_call_return_object(call, "Counter", other));
    if (mp_call_count(call) > 0)
        CHECK_OK(mp_call_fail(call, MP_ERR_FULL, "no copies today"));
}

/* Tools: functions without an object. */
static void *tools_make(mp_call *call)
{
    CHECK(call != NULL);
    return NULL;
}

static void tools_counters(mp_call *call, void *object)
{
    CHECK(object == NULL);
    CHECK_OK(mp_call_return(call, INT(counters)));
}

/* What it was given. */
static void tools_echo(mp_call *call, void *object)
{
    size_t i, count = mp_call_count(call);
    mp_item item;

    (void)object;
    CHECK_STATUS(mp_call_item(call, count, &item), MP_ERR_INVALID);
    for (i = 0; i < count; i++) {
        CHECK_OK(mp_call_item(call, i, &item));
        if (item.kind == MP_ITEM_TEXT)
            CHECK_INT(strlen(item.data), item.data_size);
        if (item.kind == MP_ITEM_PROXY) {
            mp_proxy *p;

            CHECK_OK(mp_call_proxy(call, i, &p));
            CHECK_OK(mp_call_return(call, mp_item_proxy(p)));
            CHECK_OK(mp_proxy_free(p));
        } else {
            CHECK_OK(mp_call_return(call, item));
        }
    }
}

/* A dict made here. */
static void tools_dict(mp_call *call, void *object)
{
    mp_manager *m;
    mp_proxy *d, *none;

    (void)object;
    CHECK_STATUS(mp_call_proxy(call, 0, &none), MP_ERR_INVALID);
    CHECK_STATUS(mp_call_manager(call, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_call_manager(call, &m));
    CHECK_OK(mp_manager_create(m, &d, "dict", NULL, 0));
    CHECK_OK(mp_proxy_set(d, TEXT("made"), TEXT("here")));
    CHECK_OK(mp_call_return(call, mp_item_proxy(d)));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

/* Waits for an event. */
static void tools_wait(mp_call *call, void *object)
{
    mp_proxy *e;

    (void)object;
    CHECK_OK(mp_call_proxy(call, 0, &e));
    CHECK_OK(mp_proxy_call(e, "wait", NULL, 0, NULL, MP_FOREVER));
    CHECK_OK(mp_proxy_free(e));
}

static void tools_fail(mp_call *call, void *object)
{
    (void)object;
    CHECK_STATUS(mp_call_fail(call, MP_OK, "no failure"), MP_ERR_INVALID);
    CHECK_STATUS(mp_call_fail(call, -1000, "no status"), MP_ERR_INVALID);
    CHECK_STATUS(mp_call_fail(call, MP_ERR_FULL, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_call_return(call, INT(1)));
    CHECK_OK(mp_call_fail(call, (int)mp_call_int(call, 0), "it went wrong"));
}

static void drop_exception(_Unwind_Reason_Code why, struct _Unwind_Exception *exception)
{
    (void)why;
    free(exception);
}

static void tools_hang(mp_call *call, void *object)
{
    (void)call;
    (void)object;
    while (!released)
        sleep_ms(1);
}

static void tools_crash(mp_call *call, void *object)
{
    volatile int *nowhere = object;

    (void)call;
    *nowhere = 1;
}

/* What a language other than C does. */
static void tools_throw(mp_call *call, void *object)
{
    struct _Unwind_Exception *exception = calloc(1, sizeof *exception);

    (void)call;
    (void)object;
    memcpy(&exception->exception_class, "TESTLANG", 8);
    exception->exception_cleanup = drop_exception;
    _Unwind_RaiseException(exception);
    abort();
}

static void tools_keep(mp_call *call, void *object)
{
    (void)object;
    last_call = call;
}

static void tools_late(mp_call *call, void *object)
{
    (void)object;
    CHECK_OK(mp_call_return(call, INT(mp_call_return(last_call, INT(1)))));
    CHECK_OK(mp_call_return(call, INT(mp_call_count(NULL))));
}

static void tools_kill(mp_call *call, void *object)
{
    (void)object;
    raise((int)mp_call_int(call, 0));
}

static void tools_large(mp_call *call, void *object)
{
    size_t size = (size_t)mp_call_int(call, 0);
    char *bytes = calloc(1, size);

    (void)object;
    CHECK_OK(mp_call_return(call, mp_item_bytes(bytes, size)));
    free(bytes);
}

static bool holds_back(void)
{
    sigset_t mask;

    return pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGTERM) == 1;
}

static int holds_back_in_a_fork(void *arg)
{
    CHECK(arg == NULL);
    return holds_back();
}

static int holds_back_in_a_child(mp_child *self, void *user)
{
    CHECK(self != NULL && user == NULL);
    return holds_back();
}

/* Whether SIGTERM is blocked: here, in a fork, in a child. */
static void tools_blocked(mp_call *call, void *object)
{
    mp_process *child = child_new(holds_back_in_a_child, NULL);

    (void)object;
    CHECK_OK(mp_process_start(child));
    CHECK_OK(mp_call_return(call, INT(holds_back())));
    CHECK_OK(mp_call_return(call, INT(in_fork(holds_back_in_a_fork, NULL))));
    CHECK_OK(mp_call_return(call, INT(child_end(child))));
}

static const mp_object_method counter_methods[] = {
    {"incr", counter_incr}, {"str", counter_str}, {"copy", counter_copy}};
static const mp_object_method tools_methods[] = {
    {"counters", tools_counters}, {"echo", tools_echo}, {"dict", tools_dict},
    {"wait", tools_wait},         {"fail", tools_fail}, {"throw", tools_throw},
    {"keep", tools_keep},         {"late", tools_late}, {"kill", tools_kill},
    {"large", tools_large},       {"crash", tools_crash}, {"blocked", tools_blocked},
    {"hang", tools_hang}};

static mp_manager *with_types(const mp_manager_options *options)
{
    mp_object_options counter = MP_OBJECT_OPTIONS, tools, made;
    mp_manager *m;

    CHECK_OK(mp_object_options_init(&tools, sizeof tools));
    CHECK_OK(mp_manager_new(&m, options));
    counter.create = counter_make;
    counter.destroy = counter_end;
    counter.methods = counter_methods;
    counter.method_count = COUNT(counter_methods);
    CHECK_OK(mp_manager_register(m, "Counter", &counter));
    tools.create = tools_make;
    tools.methods = tools_methods;
    tools.method_count = COUNT(tools_methods);
    CHECK_OK(mp_manager_register(m, "Tools", &tools));
    made = counter;
    made.create = NULL;
    CHECK_OK(mp_manager_register(m, "Made", &made));
    return m;
}

static mp_manager *started(void)
{
    mp_manager *m = with_types(NULL);

    CHECK_OK(mp_manager_start(m));
    return m;
}

static mp_proxy *counter_new(mp_manager *m, int64_t start)
{
    mp_item item = mp_item_int(start);
    mp_proxy *p;

    CHECK_OK(mp_manager_create(m, &p, "Counter", &item, 1));
    return p;
}

/* Asks until there are so many. */
struct wanted {
    const mp_proxy *tools;
    int64_t count;
};

static bool are_so_many(void *arg)
{
    const struct wanted *w = arg;
    mp_answer *a;
    bool same;

    CHECK_OK(mp_proxy_call(w->tools, "counters", NULL, 0, &a, MP_NO_WAIT));
    same = mp_answer_int(a, 0) == w->count;
    CHECK_OK(mp_answer_free(a));
    return same;
}

static void check_counters(const mp_proxy *tools, int64_t count)
{
    struct wanted w = {tools, count};

    CHECK(wait_until(are_so_many, &w));
}

TEST(manager_own, objects)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools"), *c = counter_new(m, 40), *p;
    mp_item items[2] = {mp_item_int(1), mp_item_int(2)};
    char text[64];

    CHECK_CALL0(c, "41", "incr");
    CHECK_CALL(c, "21", "incr", INT(-20));
    check_str(c, "Counter(0 or more)");
    CHECK_CALL(c, "-1", "incr", INT(-22));
    check_str(c, "Counter(below 0)");
    check_str(tools, "<Tools object>");
    CHECK_OK(mp_proxy_describe(c, text, sizeof text, NULL));
    CHECK_CONTAINS(text, "<Proxy[Counter] object at 0x");
    CHECK_STATUS(CALL(c, "decr", MP_NO_WAIT, INT(1)), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(CALL(c, "(create)", MP_NO_WAIT, INT(1)), MP_ERR_UNSUPPORTED);
    /* What cannot be made is not there. */
    CHECK_SENTENCE(mp_manager_create(m, &p, "Counter", items, 2), MP_ERR_INVALID,
                   "made of one number");
    CHECK_STATUS(mp_manager_create(m, &p, "Made", NULL, 0), MP_ERR_UNSUPPORTED);
    CHECK_INT(objects(m), 2);
    CHECK_CALL0(tools, "1", "counters");
    CHECK_OK(mp_proxy_free(c));
    check_counters(tools, 0);
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, results_that_are_objects)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools"), *c = counter_new(m, 1), *copy, *d;
    mp_answer *a;

    CHECK_OK(mp_proxy_call(c, "copy", NULL, 0, &a, MP_NO_WAIT));
    CHECK_OK(mp_answer_proxy(a, 0, &copy));
    CHECK_OK(mp_answer_free(a));
    CHECK_CALL0(c, "2", "incr");
    CHECK_CALL(copy, "11", "incr", INT(10));
    check_counters(tools, 2);
    CHECK_OK(mp_proxy_free(copy));
    check_counters(tools, 1);
    /* Nobody wants these. */
    CHECK_SENTENCE(CALL(c, "copy", MP_NO_WAIT, INT(1)), MP_ERR_FULL, "no copies today");
    CHECK_OK(mp_proxy_call(c, "copy", NULL, 0, NULL, MP_NO_WAIT));
    check_counters(tools, 1);
    CHECK_OK(mp_proxy_call(tools, "dict", NULL, 0, &a, MP_NO_WAIT));
    CHECK_OK(mp_answer_proxy(a, 0, &d));
    CHECK_OK(mp_answer_free(a));
    check_str(d, "{'made': 'here'}");
    CHECK_INT(objects(m), 3);
    CHECK_OK(mp_proxy_free(d));
    CHECK_INT(objects(m), 2);
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

/* The server's own proxies go a little later than the answer comes. */
static bool is_alone(void *m)
{
    return objects(m) == 1;
}

TEST(manager_own, arguments_and_answers)
{
    mp_manager *m = started(), *other = manager_new();
    mp_proxy *tools = object_new(m, "Tools"), *l = object_new(m, "list"), *got,
             *foreign = object_new(other, "list");
    mp_item proxy = mp_item_proxy(l);
    mp_answer *a;

    CHECK_CALL(tools, "1 0.5 true None 'two' 3 bytes ''", "echo", INT(1), mp_item_double(0.5),
               mp_item_bool(true), mp_item_none(), TEXT("two"), mp_item_bytes("abc", 3), TEXT(""));
    CHECK_CALL0(tools, "", "echo");
    CHECK_OK(mp_proxy_call(tools, "echo", &proxy, 1, &a, MP_NO_WAIT));
    CHECK_OK(mp_answer_proxy(a, 0, &got));
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_proxy_append(got, INT(7)));
    check_str(l, "[7]");
    CHECK_OK(mp_proxy_free(got));
    CHECK_OK(mp_proxy_free(l));
    CHECK(wait_until(is_alone, m));
    CHECK_STATUS(CALL(tools, "echo", MP_NO_WAIT, mp_item_proxy(foreign)), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_free(foreign));
    CHECK_OK(mp_manager_free(other));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, failures)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools");
    mp_proxy_step step = {NULL, "counters", NULL, 0};
    mp_answer *a;
    int i;

    CHECK_SENTENCE(CALL(tools, "fail", MP_NO_WAIT, INT(MP_ERR_NOT_FOUND)), MP_ERR_NOT_FOUND,
                   "it went wrong");
    CHECK_STATUS(CALL(tools, "fail", MP_NO_WAIT, INT(MP_ERR_REMOTE)), MP_ERR_REMOTE);
    for (i = 0; i < 3; i++)
        CHECK_SENTENCE(mp_proxy_call(tools, "throw", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_REMOTE,
                       "exception");
    CHECK_STATUS(CALL(tools, "large", MP_NO_WAIT, INT(65 << 20)), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_proxy_call(tools, "keep", NULL, 0, NULL, MP_NO_WAIT));
    CHECK_CALL0(tools, "-2 0", "late");
    step.proxy = tools;
    CHECK_SENTENCE(mp_proxy_batch(&step, 1, &a), MP_ERR_UNSUPPORTED, "registered type");
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, blocked_signals)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools");

    CHECK_CALL0(tools, "1 1 1", "blocked");
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, registering)
{
    mp_object_method methods[] = {{"a", tools_echo}, {"b", tools_echo}};
    mp_object_options o = MP_OBJECT_OPTIONS;
    mp_manager *m;
    char name[257];

    memset(name, 'n', sizeof name - 1);
    name[256] = 0;
    CHECK_OK(mp_manager_new(&m, NULL));
    CHECK_STATUS(mp_object_options_init(NULL, sizeof(mp_object_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_register(NULL, "T", &o), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_manager_register(m, NULL, &o), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_register(m, "T", NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_register(m, "", &o), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_register(m, name, &o), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_register(m, "\xff", &o), MP_ERR_INVALID);
    o.method_count = 2;
    CHECK_STATUS(mp_manager_register(m, "T", &o), MP_ERR_INVALID);
    o.methods = methods;
    methods[1].name = "a";
    CHECK_SENTENCE(mp_manager_register(m, "T", &o), MP_ERR_INVALID, "two methods");
    methods[1].name = "";
    CHECK_STATUS(mp_manager_register(m, "T", &o), MP_ERR_INVALID);
    methods[1].name = NULL;
    CHECK_STATUS(mp_manager_register(m, "T", &o), MP_ERR_INVALID);
    methods[1].name = "b";
    methods[1].function = NULL;
    CHECK_STATUS(mp_manager_register(m, "T", &o), MP_ERR_INVALID);
    methods[1].function = tools_echo;
    CHECK_OK(mp_manager_register(m, "T", &o));
    CHECK_STATUS(mp_manager_register(m, "T", &o), MP_ERR_EXISTS);
    CHECK_STATUS(mp_manager_register(m, "dict", &o), MP_ERR_EXISTS);
    CHECK_OK(mp_manager_start(m));
    CHECK_STATUS(mp_manager_register(m, "U", &o), MP_ERR_STATE);
    CHECK_OK(mp_manager_free(m));
}

static void *increments(void *arg)
{
    int i;

    for (i = 0; i < 50; i++)
        CHECK_OK(mp_proxy_call(arg, "incr", NULL, 0, NULL, MP_NO_WAIT));
    return NULL;
}

TEST(manager_own, one_call_at_a_time)
{
    mp_manager *m = started();
    mp_proxy *c = counter_new(m, 0);
    pthread_t threads[4];
    size_t i;

    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, increments, c) == 0);
    for (i = 0; i < COUNT(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_CALL0(c, "201", "incr");
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

struct waits {
    mp_proxy *tools, *event;
};

static void *waits(void *arg)
{
    struct waits *w = arg;

    CHECK_OK(CALL(w->tools, "wait", MP_NO_WAIT, mp_item_proxy(w->event)));
    return NULL;
}

/* A child by fork that waits. */
static pid_t waits_in_child(struct waits *w)
{
    pid_t child = fork();

    if (child == 0) {
        waits(w);
        _exit(1);
    }
    return child;
}

static void kill_child(pid_t child)
{
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
}

TEST(manager_own, a_slow_method_holds_up_its_own_object_only)
{
    mp_manager *m = started();
    mp_proxy *other = object_new(m, "Tools"), *c = counter_new(m, 0);
    struct waits w = {object_new(m, "Tools"), object_new(m, "Event")};
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, waits, &w) == 0);
    /* The call, and the event's wait in it. */
    wait_for_waiting(m, 2);
    CHECK_CALL(other, "'x'", "echo", TEXT("x"));
    CHECK_CALL0(c, "1", "incr");
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(other));
    CHECK_OK(mp_proxy_free(c));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

enum { BUSY = 300 };

/* However many objects are at work, others are not held up. */
TEST(manager_own, many_slow_methods)
{
    mp_manager *m = started();
    mp_proxy *c, *event = object_new(m, "Event");
    struct waits w[BUSY];
    pthread_t threads[BUSY];
    size_t i;

    for (i = 0; i < BUSY; i++) {
        w[i].tools = object_new(m, "Tools");
        w[i].event = event;
        CHECK(pthread_create(&threads[i], NULL, waits, &w[i]) == 0);
    }
    /* Each call, and the wait in it. */
    wait_for_waiting(m, 2 * BUSY);
    c = counter_new(m, 0);
    CHECK_CALL0(c, "1", "incr");
    CHECK_OK(mp_proxy_call(event, "set", NULL, 0, NULL, MP_NO_WAIT));
    for (i = 0; i < BUSY; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK_OK(mp_proxy_free(w[i].tools));
    }
    CHECK_OK(mp_proxy_free(event));
    CHECK_OK(mp_proxy_free(c));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, a_killed_caller)
{
    mp_manager *m = started();
    mp_proxy *again = object_new(m, "Tools");
    struct waits w = {object_new(m, "Tools"), object_new(m, "Event")};
    pid_t first = waits_in_child(&w), second;

    wait_for_waiting(m, 2);
    second = waits_in_child(&w);
    wait_for_waiting(m, 3);
    /* One whose call has not begun, and one whose runs. */
    kill_child(second);
    wait_for_waiting(m, 2);
    kill_child(first);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    CHECK_CALL(w.tools, "1", "echo", INT(1));
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(again));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, who_does_not_wait_longer)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *c;
    struct waits w;

    o.patience = MP_MS(300);
    m = with_types(&o);
    CHECK_OK(mp_manager_start(m));
    c = counter_new(m, 5);
    w.tools = object_new(m, "Tools");
    w.event = object_new(m, "Event");
    CHECK_STATUS(CALL(w.tools, "wait", MP_NO_WAIT, mp_item_proxy(w.event)), MP_ERR_TIMEOUT);
    /* One that waits behind it, and is nobody's in the end. */
    CHECK_STATUS(CALL(w.tools, "echo", MP_NO_WAIT, INT(1)), MP_ERR_TIMEOUT);
    CHECK_OK(mp_proxy_call(w.event, "set", NULL, 0, NULL, MP_NO_WAIT));
    CHECK_OK(CALL(w.tools, "echo", MP_SEC(30), INT(2)));
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_manager_free(m));
}

static void *hangs(void *tools)
{
    CHECK_STATUS(mp_proxy_call(tools, "hang", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_EOF);
    return NULL;
}

/* A shutdown does not wait for a method that never ends. */
TEST(manager_own, a_method_that_never_ends)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools");
    pthread_t thread;
    int pid;

    CHECK(pthread_create(&thread, NULL, hangs, tools) == 0);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(process_gone(pid));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

/* A method that crashes takes the server along, and everybody is told. */
static void crashes(const char *method, mp_item item, size_t count)
{
    mp_manager *m = started();
    struct waits w = {object_new(m, "Tools"), object_new(m, "Event")};
    mp_proxy *tools = object_new(m, "Tools");

    CHECK_STATUS(mp_proxy_call(tools, method, &item, count, NULL, MP_FOREVER), MP_ERR_EOF);
    CHECK_STATUS(CALL(w.tools, "echo", MP_NO_WAIT, INT(1)), MP_ERR_EOF);
    CHECK_OK(mp_proxy_free(w.tools));
    CHECK_OK(mp_proxy_free(w.event));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_own, a_crash)
{
    crashes("kill", INT(SIGKILL), 1);
    crashes("crash", INT(0), 0);
}

/* Here the objects are this process's own. */
TEST(manager_own, serves_here)
{
    mp_manager *m = with_types(NULL);
    mp_proxy *c, *tools;
    pthread_t thread;
    mp_answer *a;

    thread = serves_in_a_thread(m);
    c = counter_new(m, 1);
    tools = object_new(m, "Tools");
    CHECK_CALL0(c, "2", "incr");
    CHECK_OK(mp_proxy_call(c, "copy", NULL, 0, &a, MP_NO_WAIT));
    CHECK_OK(mp_proxy_call(tools, "dict", NULL, 0, NULL, MP_NO_WAIT));
    check_counters(tools, 2);
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(pthread_join(thread, NULL) == 0);
    /* What there was at the end was ended. */
    CHECK_INT(counters, 0);
    CHECK_OK(mp_answer_free(a));
    CHECK_OK(mp_proxy_free(c));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}

static bool is_closed(void *before)
{
    return open_descriptors() <= *(int *)before;
}

/* Nor does serving in this process wait for a method that never ends. */
TEST(manager_own, serves_here_no_longer)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *tools;
    pthread_t server, client;
    int before = open_descriptors();

    o.shutdown_timeout = MP_MS(100);
    m = with_types(&o);
    server = serves_in_a_thread(m);
    tools = object_new(m, "Tools");
    CHECK(pthread_create(&client, NULL, hangs, tools) == 0);
    wait_for_waiting(m, 1);
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(pthread_join(server, NULL) == 0);
    CHECK(pthread_join(client, NULL) == 0);
    /* What it has is closed when the method ends all the same. */
    released = true;
    CHECK(wait_until(is_closed, &before));
    CHECK_OK(mp_proxy_free(tools));
    CHECK_OK(mp_manager_free(m));
}
