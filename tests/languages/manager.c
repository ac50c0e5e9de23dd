/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A manager whose client is manager.py: manager ADDRESS COMMAND, which runs with the address, the key and a ticket. */
#include <mp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char *where)
{
    printf("%s: %s\n", where, mp_last_error());
    return 1;
}

int main(int argc, char **argv)
{
    mp_manager_options options = MP_MANAGER_OPTIONS;
    mp_manager *manager;
    mp_proxy *dict;
    mp_buffer *bytes, *text;
    const unsigned char *data;
    char address[200], command[1000], ticket[33];
    size_t len, i;

    if (mp_bootstrap(argc, argv) < 0 || argc != 3)
        return failed("usage: manager ADDRESS COMMAND");
    options.address = argv[1];
    options.key = "a key";
    options.key_size = 5;
    if (mp_manager_new(&manager, &options) < 0 || mp_manager_start(manager) < 0 ||
        mp_manager_address(manager, address, sizeof address, NULL) < 0 ||
        mp_manager_create(manager, &dict, "dict", NULL, 0) < 0 ||
        mp_proxy_set(dict, mp_item_text("n"), mp_item_int(-1)) < 0 ||
        mp_proxy_export(dict, &bytes) < 0)
        return failed("manager");
    /* Behind four bytes that say what it is, and the server's name. */
    data = mp_buffer_data(bytes, &len);
    for (i = 0; i < 16; i++)
        snprintf(ticket + 2 * i, 3, "%02x", data[20 + i]);
    snprintf(command, sizeof command, "%s '%s' 'a key' %s", argv[2], address, ticket);
    fflush(stdout);
    if (system(command) != 0 || mp_proxy_str(dict, &text) < 0)
        return failed("the client");
    data = mp_buffer_data(text, &len);
    printf("%.*s\n", (int)len, (const char *)data);
    mp_buffer_free(text);
    mp_buffer_free(bytes);
    mp_proxy_free(dict);
    return mp_manager_free(manager) < 0 ? failed("mp_manager_free") : 0;
}
