/* Which files to hash: the arguments in their order, and what is below a directory sorted by path. */
#define _XOPEN_SOURCE 700
#include "mpsum.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories that are still to be read. A stack of our own: no depth overflows it. */
struct stack {
    char **path;
    size_t count, room;
};

/* Makes room for one more item of an array that grows by doubling. Returns -1 without memory. */
static int grow(void **items, size_t *room, size_t count, size_t size)
{
    size_t wanted = *room == 0 ? 64 : *room * 2;
    void *more;

    if (count < *room)
        return 0;
    more = realloc(*items, wanted * size);
    if (more == NULL)
        return -1;
    *items = more;
    *room = wanted;
    return 0;
}

static int push(struct stack *stack, char *path)
{
    void *items = stack->path;
    int grown = grow(&items, &stack->room, stack->count, sizeof *stack->path);

    stack->path = items;
    if (grown == 0)
        stack->path[stack->count++] = path;
    return grown;
}

/* Owns `task` in either case. */
static int add(struct list *list, char *task, uint64_t size)
{
    void *items = list->file;
    int grown = grow(&items, &list->room, list->count, sizeof *list->file);

    list->file = items;
    if (grown < 0) {
        free(task);
        return -1;
    }
    memset(&list->file[list->count], 0, sizeof *list->file);
    list->file[list->count].task = task;
    list->file[list->count].size = size;
    list->file[list->count].result.error = NOT_DONE;
    list->count++;
    return 0;
}

/* A kind, a directory and a name as one string; no directory if it is "". */
static char *join(char kind, const char *directory, const char *name)
{
    size_t length = strlen(directory), rest = strlen(name) + 1;
    int slash = length > 0 && directory[length - 1] != '/';
    char *path = malloc(1 + length + (size_t)slash + rest);

    if (path != NULL) {
        path[0] = kind;
        memcpy(path + 1, directory, length);
        if (slash)
            path[1 + length] = '/';
        memcpy(path + 1 + length + slash, name, rest);
    }
    return path;
}

static int add_entry(struct list *list, struct stack *todo, int fd, const char *directory,
                     const char *name)
{
    struct stat st;
    char *path;
    int regular;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        regular = S_ISREG(st.st_mode);
        if (!regular && !S_ISDIR(st.st_mode))
            return 0;
    } else if (errno == ENOENT) {
        return 0;               /* gone since it was read: then it is not in the directory */
    } else {
        regular = 1;            /* the worker will say what is wrong with it */
        st.st_size = 0;
    }
    path = join(TASK_IN_TREE, directory, name);
    if (path == NULL)
        return -1;
    if (regular)
        return add(list, path, (uint64_t)st.st_size);
    if (push(todo, path) == 0)
        return 0;
    free(path);
    return -1;
}

/* Returns 0, or an errno. The first directory may be a symbolic link, as the user named it. */
static int read_directory(struct list *list, struct stack *todo, const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags), error = 0;
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (directory == NULL) {
        error = errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    while (errno = 0, (entry = readdir(directory)) != NULL)
        if (add_entry(list, todo, fd, path, entry->d_name) < 0) {
            errno = ENOMEM;
            break;
        }
    error = errno;
    closedir(directory);
    return error;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->task, ((const struct file *)b)->task);
}

static int add_tree(struct list *list, const char *root)
{
    struct stack todo = {NULL, 0, 0};
    size_t first = list->count;
    int error = read_directory(list, &todo, root, 0), bad = 0;

    if (error != 0) {
        complain(root, strerror(error));
        bad = -1;
    }
    while (todo.count > 0) {
        char *path = todo.path[--todo.count];

        if (!interrupted && (error = read_directory(list, &todo, path + 1, O_NOFOLLOW)) != 0) {
            complain(path + 1, strerror(error));
            bad = -1;
        }
        free(path);
    }
    free(todo.path);
    if (list->count > first)
        qsort(list->file + first, list->count - first, sizeof *list->file, by_path);
    return bad;
}

int list_add(struct list *list, const char *argument)
{
    struct stat st;
    char *task = NULL;
    int error = 0;

    if (strcmp(argument, "-") == 0) {
        error = add(list, NULL, 0) < 0 ? ENOMEM : 0;
    } else if (stat(argument, &st) != 0) {
        error = errno;
    } else if (S_ISDIR(st.st_mode)) {
        return add_tree(list, argument);
    } else if (!S_ISREG(st.st_mode)) {
        error = NOT_REGULAR;
    } else {
        task = join(TASK_ARGUMENT, "", argument);
        error = task == NULL || add(list, task, (uint64_t)st.st_size) < 0 ? ENOMEM : 0;
    }
    if (error != 0)
        complain(argument, hash_error(error));
    return error != 0 ? -1 : 0;
}

void list_free(struct list *list)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        free(list->file[i].task);
    free(list->file);
}
