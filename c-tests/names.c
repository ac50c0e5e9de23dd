/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Names that must not stay behind: all of /dev/shm, and what looks like libmp's in /tmp. The names of
 * objects in tests that still run, be they another runner's, do not stay yet. */
#include "runner.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "tmp.abc" is everybody's. */
static bool looks_like_ours(const char *name)
{
    const char *at = name;

    while ((at = strstr(at, "mp")) != NULL) {
        if (at == name || at[-1] != 't')
            return true;
        at += 2;
    }
    return false;
}

bool names_has(const names *n, const char *name)
{
    size_t i;

    for (i = 0; i < n->count; i++)
        if (strcmp(n->list[i], name) == 0)
            return true;
    return false;
}

void names_add(names *n, const char *name)
{
    void *more = realloc(n->list, (n->count + 1) * sizeof *n->list);

    if (more == NULL)
        abort();
    n->list = more;
    snprintf(n->list[n->count++], sizeof *n->list, "%s", name);
}

void names_remove(names *n, const char *name)
{
    size_t i;

    for (i = 0; i < n->count; i++)
        if (strcmp(n->list[i], name) == 0)
            memmove(n->list[i], n->list[--n->count], sizeof *n->list);
}

/* "mp.0.test-1234-x" belongs to the test with that process. */
static bool is_in_use(const char *name)
{
    long user, pid;

    return sscanf(name, "mp.%ld.test-%ld-", &user, &pid) == 2 && !process_gone((pid_t)pid);
}

static void names_read(names *n, const char *folder, bool only_ours)
{
    DIR *dir = opendir(folder);
    struct dirent *e;
    char path[300];

    if (dir == NULL)
        return;
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            (only_ours && !looks_like_ours(e->d_name)) || is_in_use(e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        names_add(n, path);
    }
    closedir(dir);
}

names names_now(void)
{
    names n = {NULL, 0};

    names_read(&n, "/dev/shm", false);
    names_read(&n, "/tmp", true);
    return n;
}

void names_free(names *n)
{
    free(n->list);
    n->list = NULL;
    n->count = 0;
}

static bool something;

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    if (where->level > 0) {
        something = true;
        remove(path);
    }
    return 0;
}

bool tree_remove(const char *path)
{
    something = false;
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return something;
}
