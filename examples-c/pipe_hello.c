/* A child sends messages through a pipe, and its end is the end of the conversation. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int says_hello(mp_child *self, void *user)
{
    mp_connection *to = mp_child_connection(self, 0);

    (void)user;
    if (to == NULL ||
        mp_connection_send(to, "hello", 5, MP_FOREVER) < 0 ||
        mp_connection_send(to, NULL, 0, MP_FOREVER) < 0 ||
        mp_connection_send(to, "and goodbye", 11, MP_FOREVER) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_connection *mine, *childs;
    mp_process *child;
    mp_status status;
    char text[100];
    size_t len;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_pipe_new(&mine, &childs, NULL) < 0 ||
        mp_process_new(&child, says_hello, NULL, NULL) < 0 ||
        mp_process_add_handle(child, childs) < 0 ||
        mp_process_start(child) < 0 ||
        mp_connection_free(childs) < 0) /* or the end would not come: this process had it, too */
        return failed();
    while ((status = mp_connection_recv(mine, text, sizeof text, &len, MP_FOREVER)) == MP_OK)
        printf("%zu bytes: \"%.*s\"\n", len, (int)len, text);
    if (status != MP_ERR_EOF)
        return failed();
    printf("that was all\n");
    if (mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    mp_process_free(child);
    mp_connection_free(mine);
    return 0;
}
