/* A listener sends text and numbers to its client, who receives the numbers into a longer array. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 5 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: where to connect, and the key. */
static int receives(mp_child *self, void *user)
{
    mp_client_options options = MP_CLIENT_OPTIONS;
    int numbers[ROOM] = {0};
    mp_connection *from;
    char text[20];
    size_t len, bytes;

    (void)user;
    options.key = mp_child_bytes(self, 1, &options.key_size);
    if (mp_client_connect(&from, mp_child_bytes(self, 0, NULL), &options, MP_SEC(60)) < 0 ||
        mp_connection_recv(from, text, sizeof text, &len, MP_SEC(60)) < 0 ||
        mp_connection_recv(from, numbers, sizeof numbers, &bytes, MP_SEC(60)) < 0 ||
        mp_connection_free(from) < 0)
        return failed();
    printf("'%.*s'\n", (int)len, text);
    printf("%d numbers: [%d, %d, %d, %d, %d]\n", (int)(bytes / sizeof *numbers), numbers[0], numbers[1], numbers[2],
           numbers[3], numbers[4]);
    return 0;
}

int main(int argc, char **argv)
{
    mp_listener_options options = MP_LISTENER_OPTIONS;
    const char key[] = "secret password";
    const int numbers[] = {42, 1729};
    char address[100], peer[100] = "";
    mp_listener *listener;
    mp_connection *client;
    mp_process *child;

    options.key = key;
    options.key_size = strlen(key);
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_listener_new(&listener, "127.0.0.1:0", &options) < 0 ||
        mp_listener_address(listener, address, sizeof address, NULL) < 0 ||
        mp_process_new(&child, receives, NULL, NULL) < 0 ||
        mp_process_add_bytes(child, address, strlen(address) + 1) < 0 ||
        mp_process_add_bytes(child, key, strlen(key)) < 0 ||
        mp_process_start(child) < 0 ||
        mp_listener_accept(listener, &client, MP_SEC(60)) < 0 ||
        mp_listener_last_accepted(listener, peer, sizeof peer, NULL) < 0)
        return failed();
    printf("connection accepted from %s\n", peer);
    fflush(stdout);
    if (mp_connection_send(client, "hello", 5, MP_SEC(60)) < 0 ||
        mp_connection_send(client, numbers, sizeof numbers, MP_SEC(60)) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    if (mp_connection_free(client) < 0 || mp_process_free(child) < 0 || mp_listener_free(listener) < 0)
        return failed();
    return 0;
}
