/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: shared memory and shareable lists that the server makes. */
#include "test_manager_memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

mp_proxy *memory_of(mp_manager *m, int64_t size)
{
    mp_item item = INT(size);
    mp_proxy *p;

    CHECK_OK(mp_manager_create(m, &p, "SharedMemory", &item, 1));
    return p;
}

mp_shared_memory *reach(const mp_proxy *p)
{
    mp_shared_memory *memory;

    CHECK_OK(mp_proxy_shared_memory(p, &memory));
    return memory;
}

volatile int64_t *data_of(mp_shared_memory *memory)
{
    void *data;
    size_t size;

    CHECK_OK(mp_shared_memory_data(memory, &data, &size));
    CHECK_INT(size, SIZE);
    return data;
}

/* How many mappings of files in /dev/shm this process has; of those, how many have a name. */
static int mapped(bool with_name)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    int n = 0;

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        n += strstr(line, "/dev/shm/") != NULL &&
             (!with_name || strstr(line, "(deleted)") == NULL);
    fclose(maps);
    return n;
}

static bool has_none(void *m)
{
    return objects(m) == 0;
}

/* Argument 0: the proxy; 1: if there is one, the memory. Each adds 1 to its number. */
static int adds(mp_child *self, void *user)
{
    const mp_proxy *p = mp_child_proxy(self, 0);
    mp_shared_memory *own = reach(p), *handed = mp_child_shared_memory(self, 1);

    CHECK(user == NULL);
    data_of(own)[0]++;
    CHECK_OK(mp_shared_memory_free(own));
    if (handed != NULL)
        data_of(handed)[1]++;
    return 0;
}

TEST(manager_memory, many_processes_have_it)
{
    mp_manager *m = manager_new();
    mp_proxy *p = memory_of(m, SIZE);
    mp_shared_memory *memory = reach(p), *again = reach(p);
    volatile int64_t *data = data_of(memory);

    CHECK_INT(data[0], 0);
    CHECK_INT(mapped(false), 1);
    CHECK_INT(mapped(true), 0);
    CHECK_CALL0(p, "5000", "size");
    CHECK_INT(child_end(CHILD_START(adds, p, memory)), 0);
    CHECK_INT(child_end(CHILD_START(adds, p)), 0);
    CHECK_INT(data[0], 2);
    CHECK_INT(data_of(again)[1], 1);
    CHECK_OK(mp_shared_memory_free(again));
    /* Without a proxy the server has it no more; whoever has a handle goes on, and hands it on. */
    CHECK_OK(mp_proxy_free(p));
    CHECK_INT(objects(m), 0);
    p = memory_of(m, SIZE);
    CHECK_INT(child_end(CHILD_START(adds, p, memory)), 0);
    CHECK_INT(data[0], 2);
    CHECK_INT(data[1], 2);
    CHECK_OK(mp_manager_shutdown(m));
    CHECK_STATUS(mp_proxy_shared_memory(p, &again), MP_ERR_EOF);
    CHECK_INT(data[1], 2);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_INT(mapped(false), 0);
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}

/* Argument 0: the proxy of the list. */
static int renames(mp_child *self, void *user)
{
    mp_shareable_list *list;
    mp_item item = TEXT("other");

    CHECK(user == NULL);
    CHECK_OK(mp_proxy_shareable_list(mp_child_proxy(self, 0), &list));
    CHECK_OK(mp_shareable_list_set(list, 4, &item));
    CHECK_OK(mp_shareable_list_free(list));
    return 0;
}

TEST(manager_memory, lists)
{
    mp_manager *m = manager_new();
    const mp_item items[] = {INT(-5), mp_item_double(0.5), mp_item_bool(true), mp_item_none(),
                             TEXT("text"), mp_item_bytes("b\0c", 3), TEXT("")};
    mp_shareable_list *list;
    mp_shared_memory *memory;
    mp_proxy *p, *empty;
    mp_item item;
    size_t n, i;
    char text[16];

    CHECK_OK(mp_manager_create(m, &p, "ShareableList", items, COUNT(items)));
    CHECK_OK(mp_proxy_shareable_list(p, &list));
    CHECK_OK(mp_shareable_list_length(list, &n));
    CHECK_INT(n, COUNT(items));
    for (i = 0; i < n; i++) {
        CHECK_OK(mp_shareable_list_index(list, &items[i], 0, &n));
        CHECK_INT(n, i);
        n = COUNT(items);
    }
    CHECK_CALL0(p, "7", "len");
    CHECK_INT(child_end(CHILD_START(renames, p)), 0);
    CHECK_OK(mp_shareable_list_get(list, 4, &item, text, sizeof text));
    CHECK(strcmp(text, "other") == 0);
    /* Its memory, by the proxy too. */
    memory = reach(p);
    CHECK_OK(mp_shared_memory_size(memory, &n));
    CHECK(n >= COUNT(items) * sizeof(int64_t));
    /* One without items is one. */
    CHECK_OK(mp_manager_create(m, &empty, "ShareableList", NULL, 0));
    CHECK_CALL0(empty, "0", "len");
    CHECK_OK(mp_proxy_free(empty));
    CHECK_OK(mp_manager_free(m));
    CHECK_OK(mp_shareable_list_get(list, 0, &item, NULL, 0));
    CHECK_INT(item.integer, -5);
    CHECK_OK(mp_shareable_list_free(list));
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_proxy_free(p));
}

TEST(manager_memory, refused)
{
    mp_manager *m = manager_new();
    mp_proxy *p = memory_of(m, SIZE), *dict = object_new(m, "dict"), *q;
    mp_item bad[] = {INT(0),         INT(-1), TEXT("5"), mp_item_double(5), mp_item_none(),
                     mp_item_proxy(p)};
    static char text[10 << 20];
    mp_shareable_list *list = NULL;
    mp_shared_memory *memory = NULL;
    mp_object_options own = MP_OBJECT_OPTIONS;
    void *data;
    size_t i;

    for (i = 0; i < COUNT(bad); i++)
        CHECK_SENTENCE(mp_manager_create(m, &q, "SharedMemory", &bad[i], 1), MP_ERR_INVALID,
                       "its size");
    CHECK_STATUS(mp_manager_create(m, &q, "SharedMemory", NULL, 0), MP_ERR_INVALID);
    bad[0] = INT(INT64_MAX);
    CHECK_STATUS(mp_manager_create(m, &q, "SharedMemory", bad, 1), MP_ERR_NO_MEMORY);
    bad[0] = mp_item_proxy(p);
    CHECK_STATUS(mp_manager_create(m, &q, "ShareableList", bad, 1), MP_ERR_INVALID);
    bad[0] = mp_item_bytes(text, sizeof text);
    CHECK_STATUS(mp_manager_create(m, &q, "ShareableList", bad, 1), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_call(p, "grow", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_proxy_shared_memory(dict, &memory), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_proxy_shareable_list(dict, &list), MP_ERR_UNSUPPORTED);
    CHECK_STATUS(mp_proxy_shared_memory(NULL, &memory), MP_ERR_BAD_HANDLE);
    CHECK_STATUS(mp_proxy_shared_memory(p, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_shareable_list(p, NULL), MP_ERR_INVALID);
    CHECK_STATUS(mp_proxy_shareable_list(p, &list), MP_ERR_STATE);
    CHECK(list == NULL && memory == NULL);
    CHECK_INT(mapped(false), 0);
    /* A list that somebody has overwritten. */
    CHECK_OK(mp_manager_create(m, &q, "ShareableList", NULL, 0));
    memory = reach(q);
    CHECK_OK(mp_shared_memory_data(memory, &data, NULL));
    memset(data, 0xFF, 8);
    CHECK_STATUS(mp_proxy_shareable_list(q, &list), MP_ERR_STATE);
    CHECK_STATUS(mp_proxy_call(q, "len", NULL, 0, NULL, MP_NO_WAIT), MP_ERR_STATE);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_proxy_free(q));
    CHECK_OK(mp_proxy_free(dict));
    CHECK_OK(mp_proxy_free(p));
    CHECK_INT(objects(m), 0);
    CHECK_OK(mp_manager_free(m));
    CHECK_OK(mp_manager_new(&m, NULL));
    CHECK_STATUS(mp_manager_register(m, "SharedMemory", &own), MP_ERR_EXISTS);
    CHECK_OK(mp_manager_free(m));
}

/* Its last call: where the memory cannot be reached, the server is asked once more. */
enum { LAST = 7 };

/* A server that names another file than its memory's, or none: nothing of it is opened. */
static void *other_make(mp_call *call)
{
    CHECK(call != NULL);
    return NULL;
}

static void other_place(mp_call *call, void *object)
{
    static int turn;
    int64_t place[4] = {getpid(), 0, 1, 1};
    int i, n = 4;

    CHECK(object == NULL);
    switch (turn++) {
    case 0:
        n = 3;
        break;
    case 1:
        place[0] = -1;
        break;
    case 2:
        place[1] = 1 << 20;
        break;
    case LAST:
        raise(SIGKILL);
        break;
    default:
        /* A file of this user's that must not be opened for writing. */
        place[1] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        break;
    }
    for (i = 0; i < n; i++)
        CHECK_OK(mp_call_return(call, INT(place[i])));
}

TEST(manager_memory, what_is_not_the_servers_memory)
{
    const mp_object_method method = {"place", other_place};
    mp_object_options o = MP_OBJECT_OPTIONS;
    mp_manager *m;
    mp_shared_memory *memory;
    mp_proxy *p;
    int i;

    o.create = other_make;
    o.methods = &method;
    o.method_count = 1;
    CHECK_OK(mp_manager_new(&m, NULL));
    CHECK_OK(mp_manager_register(m, "Other", &o));
    CHECK_OK(mp_manager_start(m));
    p = object_new(m, "Other");
    for (i = 0; i < 2; i++)
        CHECK_STATUS(mp_proxy_shared_memory(p, &memory), MP_ERR_REMOTE);
    /* No such descriptor; and one that leads elsewhere. */
    for (i = 0; i < 2; i++)
        CHECK_SENTENCE(mp_proxy_shared_memory(p, &memory), MP_ERR_UNSUPPORTED, "cannot be reached");
    /* One that has died meanwhile. */
    CHECK_STATUS(mp_proxy_shared_memory(p, &memory), MP_ERR_EOF);
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_memory, not_over_a_network)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_manager *m;
    mp_shared_memory *memory;
    mp_shareable_list *list;
    mp_proxy *p;

    o.address = "127.0.0.1:0";
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    p = memory_of(m, SIZE);
    CHECK_CALL0(p, "5000", "size");
    CHECK_SENTENCE(mp_proxy_shared_memory(p, &memory), MP_ERR_UNSUPPORTED, "over a network");
    CHECK_SENTENCE(mp_proxy_shareable_list(p, &list), MP_ERR_UNSUPPORTED, "over a network");
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}

/* Argument 0: the proxy; 1, 2: flags. It has memory of a server that dies, and goes on with it. */
static int goes_on(mp_child *self, void *user)
{
    mp_shared_memory *memory = reach(mp_child_proxy(self, 0));
    volatile int64_t *data = data_of(memory);

    CHECK(user == NULL);
    data[0] = 1;
    flag_set(mp_child_value(self, 1), 1);
    flag_wait(mp_child_value(self, 2), 1);
    data[0]++;
    CHECK_OK(mp_shared_memory_free(memory));
    return 0;
}

TEST(manager_memory, a_killed_server)
{
    mp_manager *m = manager_new();
    mp_proxy *p = memory_of(m, SIZE);
    mp_value *there = flag_new(), *go = flag_new();
    mp_process *child = CHILD_START(goes_on, p, there, go);
    mp_shared_memory *memory = reach(p), *none;
    int server;

    flag_wait(there, 1);
    CHECK_OK(mp_manager_pid(m, &server));
    CHECK(kill(server, SIGKILL) == 0);
    CHECK(wait_until(gone, &server));
    CHECK_STATUS(mp_proxy_shared_memory(p, &none), MP_ERR_EOF);
    flag_set(go, 1);
    CHECK_INT(child_end(child), 0);
    CHECK_INT(data_of(memory)[0], 2);
    CHECK_INT(child_end(CHILD_START(child_waits, go, memory)), 4);
    CHECK_INT(mapped(true), 0);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_INT(mapped(false), 0);
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
    CHECK_OK(mp_value_free(there));
    CHECK_OK(mp_value_free(go));
}

/* Argument 0: a flag that nobody sets; 1: the proxy. */
static int is_killed(mp_child *self, void *user)
{
    CHECK(user == NULL);
    data_of(reach(mp_child_proxy(self, 1)))[0] = 7;
    return child_waits(self, NULL);
}

TEST(manager_memory, a_killed_client)
{
    mp_manager *m = manager_new();
    mp_proxy *p = memory_of(m, SIZE);
    mp_value *flag = flag_new();
    mp_process *child = child_new(is_killed, NULL);
    mp_shared_memory *memory = reach(p);

    CHECK_OK(mp_process_add_handle(child, flag));
    CHECK_OK(mp_process_add_handle(child, p));
    CHECK_OK(mp_process_start(child));
    CHECK_OK(mp_proxy_free(p));
    while (data_of(memory)[0] != 7)
        sleep_ms(1);
    CHECK_INT(objects(m), 1);
    CHECK_OK(mp_process_kill(child));
    child_end(child);
    CHECK(wait_until(has_none, m));
    CHECK_INT(data_of(memory)[0], 7);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_value_free(flag));
    CHECK_OK(mp_manager_free(m));
}

TEST(manager_memory, no_descriptor_is_free)
{
    mp_manager *m = manager_new();
    mp_proxy *p = memory_of(m, SIZE);
    mp_shared_memory *memory;
    int leave, s = MP_ERR_OS;

    /* It may want several at the same time. */
    for (leave = 0; leave < 20 && s != MP_OK; leave++) {
        fill_descriptors(leave);
        s = CHECK_CLEAN(mp_proxy_shared_memory(p, &memory));
        release_descriptors();
        CHECK(leave > 0 || s == MP_ERR_OS);
    }
    CHECK_INT(s, MP_OK);
    data_of(memory)[0] = 1;
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}

static int adds_in_a_fork(void *p)
{
    mp_shared_memory *memory = reach(p);

    data_of(memory)[2] += 5;
    CHECK_OK(mp_shared_memory_free(memory));
    return 0;
}

/* The server's own process has the memory already, and so have its forks. */
TEST(manager_memory, of_this_process)
{
    mp_manager *m;
    mp_proxy *p;
    mp_shared_memory *memory;
    pthread_t thread;

    CHECK_OK(mp_manager_new(&m, NULL));
    thread = serves_in_a_thread(m);
    p = memory_of(m, SIZE);
    memory = reach(p);
    CHECK_INT(mapped(false), 1);
    CHECK_INT(in_fork(adds_in_a_fork, p), 0);
    CHECK_INT(child_end(CHILD_START(adds, p, memory)), 0);
    CHECK_INT(data_of(memory)[2], 5);
    CHECK_OK(mp_proxy_free(p));
    CHECK_INT(data_of(memory)[0], 1);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_manager_shutdown(m));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(mp_manager_free(m));
    CHECK_INT(mapped(false), 0);
}
