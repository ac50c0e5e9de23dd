/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers of others: over TCP, by a file, in a thread of this process; proxies as bytes. */
#include "test_manager.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static mp_manager *at(const char *address)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;

    o.address = address;
    o.key = "secret";
    o.key_size = 6;
    CHECK_OK(mp_manager_new(&m, &o));
    return m;
}

/* Argument 0: the address; 1: a proxy as bytes. */
static int from_afar(mp_child *self, void *user)
{
    mp_manager *m = at(mp_child_bytes(self, 0, NULL));
    mp_proxy *l, *again;
    const void *bytes;
    size_t len;

    CHECK(user == NULL);
    bytes = mp_child_bytes(self, 1, &len);
    /* Without the key nobody gets in; with the manager's it is known. */
    CHECK_STATUS(mp_proxy_import(&l, bytes, len), MP_ERR_AUTH);
    CHECK_OK(mp_manager_connect(m, MP_FOREVER));
    CHECK_OK(mp_proxy_import(&l, bytes, len));
    CHECK_STATUS(mp_proxy_import(&again, bytes, len), MP_ERR_CLOSED);
    CHECK_STATUS(mp_proxy_import(&again, bytes, len - 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_import(&again, "x", 1), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_append(l, TEXT("from afar")));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(m));
    return 0;
}

/* Every TCP connection of this process asks whether the other machine is still there. */
static void check_kept_alive(void)
{
    int fd, count = 0;

    for (fd = 3; fd < 1024; fd++) {
        int domain = 0, on = 0;
        socklen_t size = sizeof domain;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_INET) {
            size = sizeof on;
            CHECK(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size) == 0 && on != 0);
            count++;
        }
    }
    CHECK(count > 0);
}

static void meets(const char *where)
{
    mp_manager *m = at(where);
    mp_proxy *l;
    mp_process *child = child_new(from_afar, NULL);
    mp_buffer *bytes;
    const void *data;
    char address[128];
    size_t len;

    CHECK_OK(mp_manager_start(m));
    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    l = object_new(m, "list");
    CHECK_OK(mp_proxy_export(l, &bytes));
    data = mp_buffer_data(bytes, &len);
    CHECK_OK(mp_process_add_bytes(child, address, strlen(address) + 1));
    CHECK_OK(mp_process_add_bytes(child, data, len));
    CHECK_OK(mp_buffer_free(bytes));
    CHECK_OK(mp_process_start(child));
    CHECK_INT(child_end(child), 0);
    check_str(l, "['from afar']");
    if (where[0] == '1')
        check_kept_alive();
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, over_tcp)
{
    meets("127.0.0.1:0");
}

TEST(manager, by_a_file)
{
    char directory[] = "/tmp/manager-XXXXXX", path[64];

    CHECK(mkdtemp(directory) != NULL);
    strcpy(path, directory);
    strcat(path, "/socket");
    meets(path);
    CHECK(access(path, F_OK) != 0);
    CHECK(rmdir(directory) == 0);
}

/* The object that an exported proxy stands for lives until somebody comes for it. */
TEST(manager, in_flight)
{
    mp_manager *m = manager_new(), *other;
    mp_proxy *l = object_new(m, "list"), *d = object_new(m, "dict"), *again;
    mp_buffer *bytes;
    const void *data;
    size_t len;

    CHECK_OK(mp_proxy_append(l, INT(1)));
    CHECK_OK(mp_proxy_export(l, &bytes));
    CHECK_OK(mp_proxy_free(l));
    CHECK_INT(objects(m), 2);
    data = mp_buffer_data(bytes, &len);
    CHECK_OK(mp_proxy_import(&again, data, len));
    check_str(again, "[1]");
    CHECK_OK(mp_buffer_free(bytes));
    /* An object of another manager is none here. */
    other = manager_new();
    l = object_new(other, "list");
    CHECK_SENTENCE(mp_proxy_append(l, mp_item_proxy(again)), MP_ERR_INVALID, "not of the same");
    CHECK_STATUS(mp_proxy_append(l, mp_item_proxy(NULL)), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(other));
    CHECK_OK(mp_proxy_free(again));
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, serves_here)
{
    mp_manager *m = at(NULL);
    mp_proxy *d;
    pthread_t thread;
    int pid;

    thread = serves_in_a_thread(m);
    CHECK_STATUS(mp_manager_pid(m, &pid), MP_ERR_STATE);
    d = object_new(m, "dict");
    CHECK_OK(mp_proxy_set(d, INT(1), INT(2)));
    check_str(d, "{1: 2}");
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_manager_shutdown(m));
    CHECK_STATUS(mp_proxy_set(d, INT(1), INT(2)), MP_ERR_EOF);
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, batch)
{
    mp_manager *m = manager_new(), *other = manager_new();
    mp_proxy *d = object_new(m, "dict"), *l = object_new(m, "list"), *far = object_new(other, "dict");
    mp_item put[] = {TEXT("n"), INT(1)}, get = TEXT("n"), missing = TEXT("x"), five = INT(5);
    mp_proxy_step steps[3];
    mp_answer *a;

    memset(steps, 0, sizeof steps);
    steps[0].proxy = d;
    steps[0].method = "set";
    steps[0].items = put;
    steps[0].count = 2;
    steps[1].proxy = l;
    steps[1].method = "append";
    steps[1].items = &five;
    steps[1].count = 1;
    steps[2].proxy = d;
    steps[2].method = "get";
    steps[2].items = &get;
    steps[2].count = 1;
    CHECK_OK(mp_proxy_batch(steps, 3, &a));
    CHECK(strcmp(answer_text(a), "0 0 1 1") == 0);
    CHECK_OK(mp_answer_free(a));
    /* The first that fails is the last. */
    steps[1].method = "get";
    steps[1].proxy = d;
    steps[1].items = &missing;
    put[1] = INT(2);
    steps[2].method = "clear";
    steps[2].count = 0;
    CHECK_SENTENCE(mp_proxy_batch(steps, 3, NULL), MP_ERR_NOT_FOUND, "call 1 of the batch");
    check_str(d, "{'n': 2}");
    steps[2].proxy = far;
    CHECK_STATUS(mp_proxy_batch(steps, 3, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_batch(NULL, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_batch(steps, 0, NULL), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_free(far));
    CHECK_OK(mp_proxy_free(d));
    CHECK_OK(mp_proxy_free(l));
    CHECK_OK(mp_manager_free(other));
    CHECK_OK(mp_manager_free(m));
}

static void fails(void)
{
    _exit(3);
}

static void names_itself(void)
{
    static char name[] = "INITIALIZED=1";

    CHECK(putenv(name) == 0);
}

TEST(manager, initializer)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_proxy *p;

    o.initializer = fails;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_SENTENCE(mp_manager_start(m), MP_ERR_REMOTE, "could not begin");
    CHECK_STATUS(mp_manager_create(m, &p, "dict", NULL, 0), MP_ERR_STATE);
    CHECK_OK(mp_manager_free(m));
    o.initializer = names_itself;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
}

static void hangs(void)
{
    for (;;)
        pause();
}

/* Who starts a server whose initializer does not return is told so, and may try again. */
TEST(manager, initializer_hangs)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    int pid, i;

    o.initializer = hangs;
    o.start_timeout = MP_MS(100);
    CHECK_OK(mp_manager_new(&m, &o));
    for (i = 0; i < 2; i++) {
        CHECK_SENTENCE(mp_manager_start(m), MP_ERR_TIMEOUT, "could not begin");
        CHECK_STATUS(mp_manager_pid(m, &pid), MP_ERR_STATE);
    }
    CHECK_OK(mp_manager_free(m));
}

/* A server ends with its owner, however that ends. */
static int owns(mp_child *self, void *user)
{
    mp_manager *m = manager_new();
    int pid;

    CHECK(user == NULL);
    CHECK_OK(mp_manager_pid(m, &pid));
    flag_set(mp_child_value(self, 0), pid);
    flag_wait(mp_child_value(self, 0), -1); /* which nobody sets */
    return 0;
}

TEST(manager, owner_killed)
{
    mp_value *flag = flag_new();
    mp_process *child = CHILD_START(owns, flag);
    int pid;

    while ((pid = (int)flag_get(flag)) == 0)
        sleep_ms(1);
    CHECK_OK(mp_process_kill(child));
    CHECK_INT(child_end(child), -SIGKILL);
    CHECK(wait_until(gone, &pid));
    CHECK_OK(mp_value_free(flag));
}

/* A server that does not listen to SIGTERM is killed. */
TEST(manager, shutdown_escalates)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    int pid;

    o.shutdown_timeout = MP_MS(50);
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    CHECK_OK(mp_manager_pid(m, &pid));
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(process_gone(pid));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, options)
{
    mp_manager_options o;
    mp_manager *m = NULL;
    mp_proxy *p;
    char long_name[300];

    CHECK_OK(mp_manager_options_init(&o, sizeof o));
    CHECK_INT(o.size, sizeof o);
    CHECK_STATUS(mp_manager_options_init(NULL, sizeof(mp_manager_options)), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_new(NULL, &o), MP_ERR_INVALID);
    o.patience = -1;
    CHECK_STATUS(mp_manager_new(&m, &o), MP_ERR_INVALID);
    o.patience = 0;
    o.shutdown_timeout = -1;
    CHECK_STATUS(mp_manager_new(&m, &o), MP_ERR_INVALID);
    o.shutdown_timeout = 0;
    o.start_timeout = -1;
    CHECK_STATUS(mp_manager_new(&m, &o), MP_ERR_INVALID);
    o.start_timeout = 0;
    o.key = "";
    o.key_size = 65537;
    CHECK_STATUS(mp_manager_new(&m, &o), MP_ERR_INVALID);
    o.key = NULL;
    o.key_size = 0;
    o.start_method = 77;
    CHECK_STATUS(mp_manager_new(&m, &o), MP_ERR_INVALID);
    o.start_method = 0;
    o.address = "no address: at all";
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_STATUS(mp_manager_start(m), MP_ERR_INVALID);
    CHECK_OK(mp_manager_free(m));
    m = manager_new();
    CHECK_STATUS(mp_manager_create(m, &p, "no type", NULL, 0), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_manager_create(m, &p, NULL, NULL, 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, &p, "dict", NULL, 2), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_create(m, NULL, "dict", NULL, 0), MP_ERR_INVALID);
    memset(long_name, 'x', sizeof long_name);
    long_name[299] = 0;
    CHECK_STATUS(mp_manager_create(m, &p, long_name, NULL, 0), MP_ERR_INVALID);
    CHECK_OK(mp_manager_free(m));
}

TEST(manager, null_arguments)
{
    mp_manager *m = manager_new();
    mp_proxy *d = object_new(m, "dict"), *p;
    mp_proxy_step step;
    mp_item text = mp_item_text(NULL), bytes = mp_item_bytes(NULL, 3), none = mp_item_none();
    int64_t position = 0;
    mp_answer *a;
    char line[64];

    none.kind = 77;
    memset(&step, 0, sizeof step);
    step.proxy = d;
    CHECK_STATUS(mp_manager_number_of_objects(m, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_debug_info(m, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_pid(m, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_manager_address(m, NULL, 9, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_call(d, NULL, NULL, 0, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_call(d, "get", NULL, 1, NULL, MP_NO_WAIT), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_batch(&step, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_get(d, text, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_get_int(d, text, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_contains(d, text, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_len(d, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_next(d, NULL, 1, &a), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_next(d, &position, 1, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_str(d, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_export(d, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_import(NULL, "", 0), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_import(&p, NULL, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_set(d, bytes, text), MP_ERR_INVALID);
    CHECK_SENTENCE(mp_proxy_set(d, none, text), MP_ERR_INVALID, "no type of an item");
    CHECK_STATUS(mp_proxy_set(d, mp_item_text("\xff"), text), MP_ERR_INVALID);
    CHECK_OK(mp_proxy_set(d, text, mp_item_bytes(NULL, 0)));
    check_str(d, "{'': b''}");
    CHECK_OK(mp_proxy_get(d, text, &a));
    CHECK_STATUS(mp_answer_item(a, 0, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_answer_proxy(a, 0, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_answer_proxy(a, 0, &p), MP_ERR_INVALID);
    CHECK_OK(mp_answer_free(a));
    CHECK_STATUS(mp_answer_free(a), MP_ERR_BAD_HANDLE);
    CHECK_INT(mp_answer_count(a), 0);
    CHECK_OK(mp_answer_free(NULL));
    CHECK_OK(mp_proxy_describe(d, line, sizeof line, NULL));
    CHECK_CONTAINS(line, "<Proxy[dict] object at 0x");
    CHECK_STATUS(mp_proxy_describe(d, line, 4, NULL), MP_ERR_TOO_SMALL);
    CHECK_OK(mp_proxy_free(d));
    CHECK_STATUS(mp_proxy_free(d), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_proxy_len((mp_proxy *)m, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_release((mp_proxy *)m), MP_ERR_BAD_HANDLE);
    CHECK_OK(mp_proxy_free(NULL));
    CHECK_OK(mp_manager_free(m));
}
