/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: objects of the program's own types, what their methods take and answer, and registering. */
#include "test_manager_own.h"

#include <signal.h>
#include <string.h>

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

/* The terminal's Ctrl-C is not the server's. */
TEST(manager_own, the_servers_process)
{
    mp_manager *m = started();
    mp_proxy *tools = object_new(m, "Tools");
    int pid;

    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK(kill(pid, SIGINT) == 0);
    CHECK_CALL0(tools, "'SyncManager-1'", "name");
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
