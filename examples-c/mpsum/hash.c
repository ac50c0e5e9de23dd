/* SHA-256 of one file, by libcrypto. */
#define _XOPEN_SOURCE 700
#include "mpsum.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fits the second-level cache, so that what read() copied is still there to be hashed. */
enum { BUFFER_SIZE = 128 * 1024 };

/* A worker is a process: its buffer and its context serve one file after another. */
static unsigned char buffer[BUFFER_SIZE];
static EVP_MD_CTX *context;

static int hash_fd(int fd, unsigned char *digest)
{
    if (context == NULL)
        context = EVP_MD_CTX_new();
    if (context == NULL || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        return CRYPTO_FAILED;
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);

        if (n < 0 && errno == EINTR && !interrupted)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        if (!EVP_DigestUpdate(context, buffer, (size_t)n))
            return CRYPTO_FAILED;
    }
    return EVP_DigestFinal_ex(context, digest, NULL) ? 0 : CRYPTO_FAILED;
}

/* The file may have changed its kind since it was listed. O_NONBLOCK: a FIFO must not hold us. */
static int hash_path(const char *path, int in_tree, unsigned char *digest)
{
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (in_tree ? O_NOFOLLOW : 0);
    int fd = open(path, flags), error;
    struct stat st;

    if (fd < 0)
        return in_tree && errno == ELOOP ? NOT_REGULAR : errno;
    if (fstat(fd, &st) != 0)
        error = errno;
    else if (!S_ISREG(st.st_mode))
        error = NOT_REGULAR;
    else {
        /* A small file is one read: there the advice costs more than it brings. */
        if (st.st_size > BUFFER_SIZE)
            posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        error = hash_fd(fd, digest);
    }
    close(fd);
    return error;
}

void hash_task(mp_task *task, void *user)
{
    const char *input = mp_task_input(task, NULL);
    struct result result;

    (void)user;
    memset(&result, 0, sizeof result);
    result.error = hash_path(input + 1, input[0] == TASK_IN_TREE, result.digest);
    if (mp_task_return(task, &result, sizeof result) < 0)
        mp_task_fail(task, mp_last_error());
}

void hash_stdin(struct result *result)
{
    result->error = hash_fd(STDIN_FILENO, result->digest);
}

const char *hash_error(int error)
{
    if (error == NOT_REGULAR)
        return "Not a regular file";
    if (error == CRYPTO_FAILED)
        return "libcrypto cannot compute SHA-256";
    return strerror(error);
}
