/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: the types of its own that the tests' program has. */
#include "test_manager_own.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <unwind.h>

/* In the server: how many Counters there are, and the last call's handle. */
atomic_int counters;
atomic_bool released;
static atomic_int inside;
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

static void slow_end(void *object)
{
    while (!released)
        sleep_ms(1);
    counter_end(object);
}

static void counter_incr(mp_call *call, void *object)
{
    int64_t *counter = object;

    if (inside++ != 0)
        CHECK_OK(mp_call_fail(call, MP_ERR_STATE, "two at once"));
    /* Long enough for another one to come. */
    sleep_ms(1);
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
    (void)object;
    CHECK_OK(mp_call_return(call, INT(counters)));
}

static void tools_add_100(mp_call *call, void *object)
{
    (void)call;
    (void)object;
    counters += 100;
}

/* What the server's process is called. */
static void tools_name(mp_call *call, void *object)
{
    (void)object;
    CHECK_OK(mp_call_return(call, TEXT(mp_process_name(mp_current_process()))));
}

/* What it was given. */
void tools_echo(mp_call *call, void *object)
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

/* From now on this process gets no more threads. */
void starves(void)
{
    struct rlimit one = {1, 1};

    CHECK(setrlimit(RLIMIT_NPROC, &one) == 0);
    /* For root there is no such limit. */
    if (geteuid() == 0)
        CHECK(setresuid(65534, 65534, 65534) == 0);
}

static void tools_starve(mp_call *call, void *object)
{
    (void)call;
    (void)object;
    starves();
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
    {"hang", tools_hang},         {"starve", tools_starve}, {"name", tools_name},
    {"add_100", tools_add_100}};

mp_manager *with_types(const mp_manager_options *options)
{
    mp_object_options counter = MP_OBJECT_OPTIONS, tools, made, crowd, slow;
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
    crowd = tools;
    crowd.create = counter_make;
    crowd.destroy = counter_end;
    crowd.concurrent = true;
    CHECK_OK(mp_manager_register(m, "Crowd", &crowd));
    made = counter;
    made.create = NULL;
    CHECK_OK(mp_manager_register(m, "Made", &made));
    slow = counter;
    slow.destroy = slow_end;
    CHECK_OK(mp_manager_register(m, "Slow", &slow));
    return m;
}

mp_manager *started(void)
{
    mp_manager *m = with_types(NULL);

    CHECK_OK(mp_manager_start(m));
    return m;
}

mp_proxy *counted_new(mp_manager *m, const char *type, int64_t start)
{
    mp_item item = mp_item_int(start);
    mp_proxy *p;

    CHECK_OK(mp_manager_create(m, &p, type, &item, 1));
    return p;
}

mp_proxy *counter_new(mp_manager *m, int64_t start)
{
    return counted_new(m, "Counter", start);
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

void check_counters(const mp_proxy *tools, int64_t count)
{
    struct wanted w = {tools, count};

    CHECK(wait_until(are_so_many, &w));
}
