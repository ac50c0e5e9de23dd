/* A queue that programs share which are no relatives, over TCP and by a key: one process serves, and every client that
 * asks for "get_queue" gets the same queue. The clients here are children for the sake of the example; they know the
 * address and the key, and nothing else. A program of its own would have "0.0.0.0:50000" instead of a port that the
 * system chooses. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static const char key[] = "abracadabra";

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* In the server, which has one queue for all. */
static void *services(mp_call *call)
{
    (void)call;
    return NULL;
}

static void get_queue(mp_call *call, void *object)
{
    static mp_proxy *queue;
    mp_manager *manager;

    (void)object;
    if (queue == NULL) {
        if (mp_call_manager(call, &manager) < 0 ||
            mp_manager_create(manager, &queue, "Queue", NULL, 0) < 0)
            mp_call_fail(call, MP_ERR_REMOTE, mp_last_error());
        mp_manager_free(manager);
    }
    if (queue != NULL)
        mp_call_return(call, mp_item_proxy(queue));
}

static int manager_at(mp_manager **manager, const char *address)
{
    mp_manager_options options = MP_MANAGER_OPTIONS;

    options.address = address;
    options.key = key;
    options.key_size = strlen(key);
    return mp_manager_new(manager, &options);
}

/* The queue of the server at this address, as any program gets it. */
static mp_proxy *queue_at(const char *address, mp_manager **manager)
{
    mp_proxy *services, *queue;
    mp_answer *answer;

    if (manager_at(manager, address) < 0 ||
        mp_manager_connect(*manager, MP_SEC(30)) < 0 ||
        mp_manager_create(*manager, &services, "Services", NULL, 0) < 0 ||
        mp_proxy_call(services, "get_queue", NULL, 0, &answer, MP_FOREVER) < 0 ||
        mp_answer_proxy(answer, 0, &queue) < 0)
        return NULL;
    mp_answer_free(answer);
    mp_proxy_free(services);
    return queue;
}

/* Argument 0: the address; 1: what to put, or nothing. */
static int client(mp_child *self, void *user)
{
    const char *text = mp_child_bytes(self, 1, NULL);
    mp_manager *manager;
    mp_proxy *queue = queue_at(mp_child_bytes(self, 0, NULL), &manager);
    mp_item item = mp_item_text(text);
    mp_answer *answer;

    (void)user;
    if (queue == NULL)
        return failed();
    if (text[0] != 0) {
        if (mp_proxy_call(queue, "put", &item, 1, NULL, MP_FOREVER) < 0)
            return failed();
        printf("one client puts '%s'\n", text);
    } else {
        if (mp_proxy_call(queue, "get", NULL, 0, &answer, MP_FOREVER) < 0 ||
            mp_answer_item(answer, 0, &item) < 0)
            return failed();
        printf("another client gets '%s'\n", (const char *)item.data);
        mp_answer_free(answer);
    }
    if (mp_proxy_free(queue) < 0 || mp_manager_free(manager) < 0)
        return failed();
    return 0;
}

static int run(const char *address, const char *text)
{
    mp_process *child;
    int code;

    if (mp_process_new(&child, client, NULL, NULL) < 0 ||
        mp_process_add_bytes(child, address, strlen(address) + 1) < 0 ||
        mp_process_add_bytes(child, text, strlen(text) + 1) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_exitcode(child, &code) < 0 ||
        mp_process_free(child) < 0)
        return failed();
    return code;
}

int main(int argc, char **argv)
{
    const mp_object_method methods[] = {{"get_queue", get_queue}};
    mp_object_options type = MP_OBJECT_OPTIONS;
    mp_item item = mp_item_text("hello from the server's own program");
    mp_manager *manager, *local;
    mp_proxy *queue;
    char address[64];

    type.create = services;
    type.methods = methods;
    type.method_count = 1;
    if (mp_bootstrap(argc, argv) < 0 ||
        manager_at(&manager, "127.0.0.1:0") < 0 ||
        mp_manager_register(manager, "Services", &type) < 0 ||
        mp_manager_start(manager) < 0 ||
        mp_manager_address(manager, address, sizeof address, NULL) < 0)
        return failed();
    if (run(address, "hello") != 0 || run(address, "") != 0)
        return 1;
    /* So does this process. */
    queue = queue_at(address, &local);
    if (queue == NULL ||
        mp_proxy_call(queue, "put", &item, 1, NULL, MP_FOREVER) < 0 ||
        run(address, "") != 0 ||
        mp_proxy_free(queue) < 0 ||
        mp_manager_free(local) < 0 ||
        mp_manager_free(manager) < 0)
        return failed();
    return 0;
}
