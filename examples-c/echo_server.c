/* Workers share one listening socket: each client goes to one that is free. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 3, CLIENTS = 6 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the listener. */
static int serve(mp_child *self, void *user)
{
    mp_listener *listener = mp_child_listener(self, 0);
    mp_connection *client;
    char text[100];
    size_t len;

    (void)user;
    for (;;) {
        if (mp_listener_accept(listener, &client, MP_FOREVER) < 0)
            return failed();
        while (mp_connection_recv(client, text, sizeof text, &len, MP_FOREVER) == MP_OK)
            if (mp_connection_send(client, text, len, MP_FOREVER) < 0)
                break;
        mp_connection_free(client);
    }
}

static int ask(const char *address, int number)
{
    mp_connection *server;
    char text[100];
    size_t len;

    snprintf(text, sizeof text, "hello %d", number);
    if (mp_client_connect(&server, address, NULL, MP_SEC(60)) < 0 ||
        mp_connection_send(server, text, strlen(text), MP_SEC(60)) < 0 ||
        mp_connection_recv(server, text, sizeof text, &len, MP_SEC(60)) < 0 ||
        mp_connection_free(server) < 0)
        return failed();
    printf("%.*s\n", (int)len, text);
    return 0;
}

int main(int argc, char **argv)
{
    mp_process_options options = MP_PROCESS_OPTIONS;
    mp_process *worker[WORKERS];
    mp_listener *listener;
    char address[100];
    int i;

    options.daemon = true; /* they serve until the program ends */
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_listener_new(&listener, "127.0.0.1:0", NULL) < 0 ||
        mp_listener_address(listener, address, sizeof address, NULL) < 0)
        return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_new(&worker[i], serve, NULL, &options) < 0 ||
            mp_process_add_handle(worker[i], listener) < 0 ||
            mp_process_start(worker[i]) < 0)
            return failed();
    for (i = 0; i < CLIENTS; i++)
        if (ask(address, i) != 0)
            return 1;
    return mp_listener_free(listener) < 0 ? failed() : 0;
}
