/* A listener with a key lets in who knows it, and nobody else. The address could be a TCP port as well, the client on
 * another machine, and a Python program: multiprocessing.connection.Client(address, authkey=b"secret"). */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: where to connect, and the key. */
static int calls(mp_child *self, void *user)
{
    mp_client_options options = MP_CLIENT_OPTIONS;
    const char *address = mp_child_bytes(self, 0, NULL);
    mp_connection *to;
    mp_status status;
    char text[100];
    size_t len;

    (void)user;
    options.key = mp_child_bytes(self, 1, &options.key_size);
    status = mp_client_connect(&to, address, &options, MP_SEC(30));
    if (status == MP_ERR_AUTH)
        return 3;
    if (status < 0 ||
        mp_connection_recv(to, text, sizeof text, &len, MP_SEC(30)) < 0)
        return failed();
    printf("client: \"%.*s\"\n", (int)len, text);
    return mp_connection_free(to) < 0 ? failed() : 0;
}

static int greet(const char *key)
{
    mp_listener_options options = MP_LISTENER_OPTIONS;
    mp_listener *listener;
    mp_connection *client;
    mp_process *child;
    mp_status status;
    char address[200];
    int code;

    options.key = "secret";
    options.key_size = strlen("secret");
    if (mp_listener_new(&listener, NULL, &options) < 0 ||
        mp_listener_address(listener, address, sizeof address, NULL) < 0 ||
        mp_process_new(&child, calls, NULL, NULL) < 0 ||
        mp_process_add_bytes(child, address, strlen(address) + 1) < 0 ||
        mp_process_add_bytes(child, key, strlen(key)) < 0 ||
        mp_process_start(child) < 0)
        return failed();
    status = mp_listener_accept(listener, &client, MP_SEC(30));
    if (status == MP_OK) {
        if (mp_connection_send(client, "welcome", 7, MP_SEC(30)) < 0)
            return failed();
        mp_connection_free(client);
    } else if (status == MP_ERR_AUTH) {
        printf("listener: %s\n", mp_status_name(status));
    } else {
        return failed();
    }
    fflush(stdout);
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_exitcode(child, &code) < 0)
        return failed();
    printf("the client left with %d\n", code);
    mp_process_free(child);
    return mp_listener_free(listener) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    return greet("secret") || greet("guess");
}
