/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Managers: a server's shared memory in processes that are no relatives, and another user's. */
#include "test_manager_memory.h"
#include "test_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* name: the server's address; more: an exported proxy, in hexadecimal. */
bool role_of_managers(const char *role, const char *name, const char *more)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    unsigned char bytes[512];
    mp_shared_memory *memory;
    mp_manager *m;
    mp_proxy *p;
    size_t n;

    if (strcmp(role, "managed memory") != 0)
        return false;
    for (n = 0; more[2 * n] != '\0' && n < sizeof bytes; n++) {
        const char digits[] = {more[2 * n], more[2 * n + 1], '\0'};

        bytes[n] = (unsigned char)strtol(digits, NULL, 16);
    }
    o.address = name;
    o.key = "secret";
    o.key_size = 6;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_connect(m, MP_FOREVER));
    CHECK_OK(mp_proxy_import(&p, bytes, n));
    memory = reach(p);
    data_of(memory)[3] = 9;
    role_says_ready();
    role_waits_for_end();
    CHECK_INT(data_of(memory)[3], 10);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
    return true;
}

TEST(manager_memory, strangers)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    char address[128], hex[1025] = "";
    mp_shared_memory *memory;
    mp_buffer *ticket;
    const unsigned char *bytes;
    mp_manager *m;
    mp_proxy *p;
    stranger s;
    size_t n, i;

    o.key = "secret";
    o.key_size = 6;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    CHECK_OK(mp_manager_address(m, address, sizeof address, NULL));
    p = memory_of(m, SIZE);
    CHECK_OK(mp_proxy_export(p, &ticket));
    bytes = mp_buffer_data(ticket, &n);
    CHECK(n < 512);
    for (i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    CHECK_OK(mp_buffer_free(ticket));
    s = stranger_start("managed memory", address, hex);
    stranger_ready(&s);
    memory = reach(p);
    CHECK_INT(data_of(memory)[3], 9);
    data_of(memory)[3]++;
    CHECK_INT(stranger_end(&s), 0);
    CHECK_OK(mp_shared_memory_free(memory));
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}

enum { NOBODY = 65534 };

static int as_nobody(void *arg)
{
    mp_shared_memory *memory;

    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK_SENTENCE(mp_proxy_shared_memory(arg, &memory), MP_ERR_UNSUPPORTED, "another user's");
    return 0;
}

static void is_nobodys(void)
{
    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

TEST(manager_memory, another_users)
{
    mp_manager_options o = MP_MANAGER_OPTIONS;
    mp_shared_memory *memory;
    mp_manager *m;
    mp_proxy *p;

    if (geteuid() != 0)
        SKIP("only root can be somebody else");
    o.any_user = true;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    p = memory_of(m, SIZE);
    CHECK_INT(in_fork(as_nobody, p), 0);
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
    /* Root, who can open everything, does not open what somebody else's server says. */
    o.initializer = is_nobodys;
    CHECK_OK(mp_manager_new(&m, &o));
    CHECK_OK(mp_manager_start(m));
    p = memory_of(m, SIZE);
    CHECK_SENTENCE(mp_proxy_shared_memory(p, &memory), MP_ERR_UNSUPPORTED, "another user's");
    CHECK_OK(mp_proxy_free(p));
    CHECK_OK(mp_manager_free(m));
}
