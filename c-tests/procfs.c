/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Processes as /proc shows them, and plain fork. */
#include "harness.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool proc_read(pid_t pid, proc_info *out)
{
    char path[40], text[512], *name, *end;
    ssize_t n;
    int fd, ppid, session;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    /* The name may hold blanks and parentheses: it ends at the last one. */
    name = strchr(text, '(');
    end = strrchr(text, ')');
    if (name == NULL || end == NULL ||
        sscanf(end + 1, " %c %d %*d %d", &out->state, &ppid, &session) != 3)
        return false;
    *end = '\0';
    snprintf(out->comm, sizeof out->comm, "%.31s", name + 1);
    out->pid = pid;
    out->ppid = ppid;
    out->session = session;
    return true;
}

size_t proc_list(proc_info *out, size_t max)
{
    DIR *dir = opendir("/proc");
    struct dirent *e;
    size_t n = 0;

    if (dir == NULL)
        return 0;
    while (n < max && (e = readdir(dir)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]) && proc_read((pid_t)atol(e->d_name), &out[n]))
            n++;
    closedir(dir);
    return n;
}

/* The children that a fork server or a zygote has made for a process are that process's as well. Whose server it is
 * the kernel does not say; but each test is a session of its own. */
static bool is_server(const proc_info *p)
{
    return strcmp(p->comm, "mp-forkserver") == 0 || strcmp(p->comm, "mp-zygote") == 0;
}

static bool is_child(const proc_info *p, pid_t parent)
{
    proc_info server;

    if (is_server(p) || p->state == 'Z' || p->state == 'X')
        return false;
    return p->ppid == parent ||
           (proc_read(p->ppid, &server) && is_server(&server) &&
            server.session == getsid(parent));
}

size_t children_of(pid_t parent, pid_t *out, size_t max)
{
    enum { MANY = 4096 };
    proc_info *all = calloc(MANY, sizeof *all); /* Not static: threads ask too. */
    size_t count, n = 0, i;

    CHECK(all != NULL);
    count = proc_list(all, MANY);
    for (i = 0; i < count && n < max; i++)
        if (is_child(&all[i], parent))
            out[n++] = all[i].pid;
    free(all);
    return n;
}

bool process_gone(pid_t pid)
{
    proc_info info;

    return !proc_read(pid, &info) || info.state == 'Z' || info.state == 'X';
}

bool signal_child(pid_t child, int signal_number)
{
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    proc_info info;
    bool sent;

    if (fd < 0)
        return false;
    /* The descriptor pins the process, so what is read now stays true. */
    sent = proc_read(child, &info) && is_child(&info, getpid()) &&
           syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0) == 0;
    close(fd);
    return sent;
}

pid_t fork_begin(int (*fn)(void *), void *arg)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int code = fn(arg);

        fflush(NULL);
        _exit(code);
    }
    return child;
}

int fork_end(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int in_fork(int (*fn)(void *), void *arg)
{
    return fork_end(fork_begin(fn, arg));
}
