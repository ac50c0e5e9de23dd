/* mpsum: sha256sum over all cores, with a libmp pool. main.c has the flow. */
#ifndef MPSUM_H
#define MPSUM_H

#include <mp.h>
#include <signal.h>

enum { DIGEST_SIZE = 32 };

/* What hashing one file gave. A worker sends it back as it is. */
struct result {
    int error;                          /* 0, an errno or one of the numbers below */
    unsigned char digest[DIGEST_SIZE];
};
enum {
    NOT_DONE = -1,
    REPORTED = -2,                      /* its message is already on stderr */
    NOT_REGULAR = -3,
    CRYPTO_FAILED = -4
};

/* The first byte of a task says how to open the path that follows it. */
#define TASK_ARGUMENT 'a'               /* named by the user: a symbolic link is followed */
#define TASK_IN_TREE 't'                /* found in a directory: it is not */

struct file {
    char *task;                         /* the pool's input; NULL is the standard input */
    uint64_t size;
    struct result result;
};

struct list {
    struct file *file;
    size_t count, room;
};

/* main.c */
extern volatile sig_atomic_t interrupted;
const char *file_name(const struct file *file);
void complain(const char *name, const char *why);

/* list.c. Adds one argument: a file, all files below a directory, or "-". Returns -1 after a
 * message; the rest of the list is good all the same. */
int list_add(struct list *list, const char *argument);
void list_free(struct list *list);

/* hash.c */
void hash_task(mp_task *task, void *user);      /* runs in a worker */
void hash_stdin(struct result *result);
const char *hash_error(int error);

/* pool.c. Fills in the results of all files but the standard input. workers: 0 is one for each
 * core. Returns -1 after a message, or when interrupted. */
int hash_files(struct list *list, size_t workers);

/* bar.c. The bar is drawn only at a terminal. */
struct job {
    uint64_t size;
    size_t index;                       /* in the list */
};
struct bar {
    const struct job *job;              /* in the order in which they are handed out */
    size_t count, workers;
    size_t before;                      /* jobs of earlier maps */
    size_t counted;                     /* jobs whose bytes are in `bytes` */
    uint64_t bytes, all_bytes;
    int64_t drawn_at;                   /* 0: never */
    int on;
};
void bar_begin(struct bar *bar, const struct job *job, size_t count, size_t workers);
int bar_step(size_t done, size_t total, void *bar);     /* an mp_progress_fn */
void bar_end(struct bar *bar);

#endif
