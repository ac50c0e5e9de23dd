/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Spawn: functions that the child finds and does not find, names, and which start method applies. Functions
 * in libraries have programs of their own in tests/spawn. */
#include "test_spawn.h"

#include <string.h>
#include <sys/mman.h>

/* ---- functions ---- */

/* Something that can be called and lies in no module; skips the test where that is not allowed. */
static mp_function code_in_no_module(void)
{
#if defined(__x86_64__)
    static const unsigned char code[] = {0x31, 0xC0, 0xC3}; /* xor eax, eax; ret */
#elif defined(__aarch64__)
    static const unsigned char code[] = {0x00, 0x00, 0x80, 0x52, 0xC0, 0x03, 0x5F, 0xD6};
#else
    static const unsigned char code[1];
    SKIP("no code for this processor");
#endif
    void *page = mmap(NULL, sizeof code, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mp_function function;

    CHECK(page != MAP_FAILED);
    memcpy(page, code, sizeof code);
    if (mprotect(page, sizeof code, PROT_READ | PROT_EXEC) != 0)
        SKIP("this system runs no code that it made itself");
    __builtin___clear_cache((char *)page, (char *)page + sizeof code);
    memcpy(&function, &page, sizeof function);
    return function;
}

TEST(spawn, function_in_no_module)
{
    mp_function function = code_in_no_module();
    mp_process *p = spawn_new((mp_process_fn)function);
    mp_process_options forked = MP_PROCESS_OPTIONS;
    mp_pool *pool = spawn_pool(1);
    char in = 0;

    CHECK_SENTENCE(mp_process_start(p), MP_ERR_UNKNOWN_TARGET, "lies in no module");
    CHECK_OK(mp_process_free(p));
    forked.start_method = MP_START_FORK;
    CHECK_OK(mp_process_new(&p, (mp_process_fn)function, NULL, &forked));
    CHECK_OK(mp_process_start(p));
    CHECK_INT(child_end(p), 0);
    CHECK_SENTENCE(
        mp_pool_map_array(pool, (mp_task_fn)function, NULL, &in, 1, 1, NULL, 0, NULL),
        MP_ERR_UNKNOWN_TARGET, "lies in no module");
    CHECK_OK(mp_pool_free(pool));
}

static int stranger(mp_child *self, void *user)
{
    CHECK(user == NULL);
    return 6 + (int)mp_child_count(self);
}

static void strange_task(mp_task *task, void *user)
{
    (void)user;
    CHECK_OK(mp_task_return(task, "x", 1));
}

/* The child registers what its main registers before mp_bootstrap: not this. */
TEST(spawn, name_that_only_the_parent_knows)
{
    mp_process *p = spawn_new(stranger);
    mp_pool *pool = spawn_pool(2);
    char in[3] = "abc", out[3] = "...";

    CHECK_OK(mp_register_target("a stranger", (mp_function)stranger));
    CHECK_OK(mp_register_target("a strange task", (mp_function)strange_task));
    CHECK_SENTENCE(mp_process_start(p), MP_ERR_UNKNOWN_TARGET, "does not have the function");
    CHECK_OK(mp_process_free(p));
    CHECK_STATUS(mp_pool_map_array(pool, strange_task, NULL, in, 1, 3, out, 1, NULL),
                 MP_ERR_UNKNOWN_TARGET);
    CHECK(memcmp(out, "...", 3) == 0);
    CHECK_OK(mp_pool_free(pool));
}

TEST(spawn, names)
{
    char name[300];

    CHECK_STATUS(mp_register_target(NULL, (mp_function)stranger), MP_ERR_INVALID);
    CHECK_STATUS(mp_register_target("a name", NULL), MP_ERR_INVALID);
    CHECK_SENTENCE(mp_register_target("", (mp_function)stranger), MP_ERR_INVALID, "1 to 255");
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    CHECK_SENTENCE(mp_register_target(name, (mp_function)stranger), MP_ERR_INVALID, "has 256");
    name[255] = '\0';
    CHECK_OK(mp_register_target(name, (mp_function)stranger));
    /* Again, and under a second name. */
    CHECK_OK(mp_register_target(name, (mp_function)stranger));
    CHECK_OK(mp_register_target("n", (mp_function)stranger));
    CHECK_STATUS(mp_register_target(name, (mp_function)strange_task), MP_ERR_STATE);
    /* Bytes are what counts, whatever they mean. */
    memset(name, 0xFE, 255);
    CHECK_OK(mp_register_target(name, (mp_function)strange_task));
    name[254] = (char)0xFF;
    CHECK_OK(mp_register_target(name, (mp_function)stranger));
}

TEST(spawn, pointer_of_the_users)
{
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_pool *pool = spawn_pool(1);
    mp_process *p;
    int x = 1;

    o.start_method = MP_START_SPAWN;
    CHECK_OK(mp_process_new(&p, stranger, &x, &o));
    CHECK_SENTENCE(mp_process_start(p), MP_ERR_UNSUPPORTED, "pass bytes as arguments");
    CHECK_OK(mp_process_free(p));
    CHECK_SENTENCE(mp_pool_map_array(pool, strange_task, &x, "a", 1, 1, &x, 1, NULL),
                   MP_ERR_UNSUPPORTED, "pass NULL");
    CHECK_OK(mp_pool_free(pool));
}

/* ---- start methods ---- */

static int says_its_method(mp_child *self, void *user)
{
    int depth = child_number(self, 0);
    mp_process *p;

    CHECK(user == NULL);
    if (depth == 0)
        return mp_get_start_method();
    CHECK_OK(mp_process_new(&p, says_its_method, NULL, NULL));
    child_add_number(p, depth - 1);
    CHECK_OK(mp_process_start(p));
    return child_end(p);
}

TEST(spawn, start_method_is_set_once)
{
    bool forks = strcmp(test_start_method(), "fork") == 0;
    int first = forks                                        ? MP_START_FORK
                : strcmp(test_start_method(), "spawn") == 0 ? MP_START_SPAWN
                                                             : MP_START_FORKSERVER;
    static const int garbage[] = {MP_START_DEFAULT, -1, 4, 1 << 30};
    mp_process_options o = MP_PROCESS_OPTIONS;
    mp_process *p;
    size_t i;

    CHECK_INT(mp_get_start_method(), first);
    if (forks)
        CHECK_OK(mp_set_start_method(MP_START_FORK, false));
    CHECK_STATUS(mp_set_start_method(MP_START_SPAWN, false), MP_ERR_STATE);
    CHECK_INT(mp_get_start_method(), first);
    for (i = 0; i < COUNT(garbage); i++) {
        if (garbage[i] == MP_START_DEFAULT) {
            CHECK_STATUS(mp_set_start_method(garbage[i], false), MP_ERR_INVALID);
            continue;
        }
        CHECK_STATUS(mp_set_start_method(garbage[i], true), MP_ERR_INVALID);
        o.start_method = garbage[i];
        p = NULL;
        CHECK_STATUS(mp_process_new(&p, stranger, NULL, &o), MP_ERR_INVALID);
        CHECK(p == NULL);
    }
    CHECK_OK(mp_set_start_method(MP_START_SPAWN, true));
    CHECK_INT(mp_get_start_method(), MP_START_SPAWN);
}

TEST(spawn, children_have_their_parents_start_method)
{
    int method, depth;

    for (method = MP_START_FORK; method <= MP_START_SPAWN; method++) {
        CHECK_OK(mp_set_start_method(method, true));
        for (depth = 0; depth < 3; depth++) {
            mp_process *p = spawn_new(says_its_method);

            child_add_number(p, depth);
            CHECK_OK(mp_process_start(p));
            CHECK_INT(child_end(p), method);
        }
    }
}
