/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * libmp's side of a conversation with Python: wire listen|connect ADDRESS KEY ALLOW_MD5. A key that is empty is none.
 *
 * Who listens prints its address, and echoes whatever a client sends until that closes; a client that is not let in
 * is reported. Who connects sends messages of every size, compares what comes back, and sends a descriptor. */
#include <mp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t sizes[] = {0, 1, 16384, 16385, 1 << 20, 70 << 20};

static int failed(const char *where)
{
    printf("%s: %s\n", where, mp_last_error());
    return 1;
}

static int echo(mp_connection *c)
{
    mp_buffer *b;
    mp_status s;
    size_t len;

    while ((s = mp_connection_recv_buffer(c, &b, SIZE_MAX, &len, MP_SEC(60))) == MP_OK) {
        const char *data = mp_buffer_data(b, NULL);

        /* Python's send_handle goes first, of a pipe. */
        if (len == 10 && memcmp(data, "descriptor", 10) == 0) {
            int fd;

            if (mp_connection_recv_fd(c, &fd, MP_SEC(60)) < 0 || write(fd, "written", 7) != 7 ||
                close(fd) < 0)
                return failed("recv_fd");
        } else if (mp_connection_send(c, data, len, MP_SEC(60)) < 0) {
            return failed("send");
        }
        mp_buffer_free(b);
    }
    return s == MP_ERR_EOF ? 0 : failed("recv");
}

static int listens(const char *address, const char *key, bool allow_md5)
{
    mp_listener_options o = MP_LISTENER_OPTIONS;
    mp_listener *l;
    mp_connection *c;
    mp_status s;
    char text[200];
    int bad;

    o.key = *key == '\0' ? NULL : key;
    o.key_size = strlen(key);
    o.allow_md5 = allow_md5;
    if (mp_listener_new(&l, *address == '\0' ? NULL : address, &o) < 0 ||
        mp_listener_address(l, text, sizeof text, NULL) < 0)
        return failed("listener");
    printf("%s\n", text);
    fflush(stdout);
    s = mp_listener_accept(l, &c, MP_SEC(60));
    if (s == MP_ERR_AUTH) {
        printf("AUTH\n");
        return 0;
    }
    if (s < 0)
        return failed("accept");
    bad = echo(c);
    mp_connection_free(c);
    mp_listener_free(l);
    if (!bad)
        printf("fine\n");
    return bad;
}

static int talks(mp_connection *c, bool is_local, size_t largest)
{
    unsigned char *data = malloc(70 << 20), *back = malloc(70 << 20);
    size_t i, k, len;
    char said[8] = "";
    int fds[2];

    if (data == NULL || back == NULL)
        return printf("no memory\n");
    for (i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= largest; i++) {
        for (k = 0; k < sizes[i]; k++)
            data[k] = (unsigned char)(k * 7 + k / 251 + i);
        if (mp_connection_send(c, data, sizes[i], MP_SEC(60)) < 0 ||
            mp_connection_recv(c, back, 70 << 20, &len, MP_SEC(60)) < 0)
            return failed("talk");
        if (len != sizes[i] || memcmp(data, back, len) != 0)
            return printf("%zu bytes came back as something else\n", sizes[i]);
    }
    if (is_local) {
        if (pipe(fds) < 0 || mp_connection_send(c, "descriptor", 10, MP_SEC(60)) < 0 ||
            mp_connection_send_fd(c, fds[1], MP_SEC(60)) < 0)
            return failed("send_fd");
        close(fds[1]);
        if (read(fds[0], said, sizeof said) != 7 || memcmp(said, "written", 7) != 0)
            return printf("the descriptor did not arrive\n");
        close(fds[0]);
    }
    free(data);
    free(back);
    return 0;
}

static int connects(const char *address, const char *key, bool allow_md5)
{
    mp_client_options o = MP_CLIENT_OPTIONS;
    mp_connection *c;
    mp_status s;
    int bad;

    o.key = *key == '\0' ? NULL : key;
    o.key_size = strlen(key);
    o.allow_md5 = allow_md5;
    s = mp_client_connect(&c, address, &o, MP_SEC(60));
    if (s == MP_ERR_AUTH) {
        printf("AUTH\n");
        return 0;
    }
    if (s < 0)
        return failed("connect");
    /* The largest message once at each kind of address. */
    bad = talks(c, strchr(address, ':') == NULL, *key == '\0' ? 1 << 20 : 70 << 20);
    mp_connection_free(c);
    if (!bad)
        printf("fine\n");
    return bad;
}

int main(int argc, char **argv)
{
    if (mp_bootstrap(argc, argv) < 0 || argc != 5)
        return 2;
    return strcmp(argv[1], "listen") == 0 ? listens(argv[2], argv[3], *argv[4] == '1')
                                          : connects(argv[2], argv[3], *argv[4] == '1');
}
