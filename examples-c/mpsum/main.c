/* mpsum [-j N] [FILE|DIR]...: prints what sha256sum prints, but works on all cores, and takes
 * directories too. Files go to a pool of worker processes as paths; digests come back. */
#define _XOPEN_SOURCE 700
#include "mpsum.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = signal;
}

const char *file_name(const struct file *file)
{
    return file->task == NULL ? "-" : file->task + 1;
}

/* Names come from the disk: what would steer the terminal is shown as a question mark. */
void complain(const char *name, const char *why)
{
    const char *c;

    fputs("mpsum: ", stderr);
    for (c = name; c != NULL && *c != '\0'; c++)
        putc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, stderr);
    fprintf(stderr, "%s%s\n", name == NULL ? "" : ": ", why);
}

static int usage(FILE *out)
{
    fputs("Usage: mpsum [-j N] [FILE|DIR]...\n"
          "Print the SHA-256 sums of files, and of all regular files below directories,\n"
          "computed by N worker processes (one for each core unless told otherwise).\n"
          "Without an argument, or when it is -, read the standard input.\n"
          "The output is that of sha256sum, and sha256sum -c checks it.\n"
          "\n"
          "  -j N         use N workers\n"
          "  -h, --help   print this help\n"
          "  --           what follows are names\n",
          out);
    return out == stderr ? 1 : 0;
}

static int bad_option(const char *what, const char *option)
{
    fprintf(stderr, "mpsum: %s: %s\n", what, option);
    usage(stderr);
    return -1;
}

/* Takes the options out of argv, wherever they stand, and leaves the names. Returns how many are
 * left, or -1 after a message. */
static int parse(int argc, char **argv, size_t *workers, int *help)
{
    int names = 0, i, all_names = 0;

    for (i = 1; i < argc; i++) {
        char *argument = argv[i], *number, *end;

        if (all_names || argument[0] != '-' || argument[1] == '\0') {
            argv[names++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            all_names = 1;
        } else if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
            *help = 1;
        } else if (argument[1] == 'j') {
            number = argument[2] != '\0' ? argument + 2 : i + 1 < argc ? argv[++i] : argument + 2;
            errno = 0;
            *workers = strtoul(number, &end, 10);
            if (number[0] < '0' || number[0] > '9' || *end != '\0' || errno != 0 || *workers == 0)
                return bad_option("-j needs a number of workers, 1 or more, not", number);
        } else {
            return bad_option("unknown option", argument);
        }
    }
    return names;
}

/* As sha256sum writes it: a name with a backslash or a line end in it is escaped, and the line then
 * begins with a backslash. */
static void print_file(const struct file *file)
{
    const char *c, *name = file_name(file);
    size_t i;

    if (strpbrk(name, "\\\n\r") != NULL)
        putchar('\\');
    for (i = 0; i < DIGEST_SIZE; i++) {
        putchar("0123456789abcdef"[file->result.digest[i] >> 4]);
        putchar("0123456789abcdef"[file->result.digest[i] & 15]);
    }
    fputs("  ", stdout);
    for (c = name; *c != '\0'; c++) {
        if (*c == '\\')
            fputs("\\\\", stdout);
        else if (*c == '\n')
            fputs("\\n", stdout);
        else if (*c == '\r')
            fputs("\\r", stdout);
        else
            putchar(*c);
    }
    putchar('\n');
}

/* Returns 0, or 1 after a message about any of the files or about the output. */
static int print_list(const struct list *list)
{
    size_t i;
    int bad = 0;

    for (i = 0; i < list->count && !ferror(stdout); i++) {
        int error = list->file[i].result.error;

        if (error == 0) {
            print_file(&list->file[i]);
            continue;
        }
        bad = 1;
        if (error != REPORTED)
            complain(file_name(&list->file[i]), hash_error(error));
    }
    return bad;
}

static int close_output(void)
{
    int bad = ferror(stdout);

    if (fclose(stdout) == 0 && !bad)
        return 0;
    if (!interrupted)
        complain("write error", strerror(errno));
    return 1;
}

/* A standard stream that is closed would give its number to the next file that is opened, and what
 * we print would go there. Opened the wrong way round, it answers every use with an error. */
static void guard_streams(void)
{
    int fd;

    for (fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            _exit(1);
}

/* Ctrl-C asks to stop; a second one does not ask. Whoever ignores it on our behalf, as nohup or a
 * shell script with & does, goes on doing so. */
static void catch_interrupt(void)
{
    struct sigaction action;

    if (sigaction(SIGINT, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
}

static int run(int names, char **argv, size_t workers)
{
    struct list list = {NULL, 0, 0};
    int bad = 0, i;
    size_t k;

    if (names == 0)
        bad |= list_add(&list, "-") < 0;
    for (i = 0; i < names && !interrupted; i++)
        bad |= list_add(&list, argv[i]) < 0;
    if (!interrupted && hash_files(&list, workers) < 0)
        bad = 2;
    for (k = 0; k < list.count && bad != 2 && !interrupted; k++)
        if (list.file[k].task == NULL)
            hash_stdin(&list.file[k].result);
    if (bad != 2 && !interrupted)
        bad |= print_list(&list) | close_output();
    list_free(&list);
    return interrupted ? 130 : bad != 0;
}

int main(int argc, char **argv)
{
    size_t workers = 0;
    int names, help = 0;

    guard_streams();
    if (mp_bootstrap(argc, argv) < 0) {
        complain(NULL, mp_last_error());
        return 1;
    }
    names = parse(argc, argv, &workers, &help);
    if (names < 0)
        return 1;
    if (help)
        return usage(stdout) | close_output();
    catch_interrupt();
    return run(names, argv, workers);
}
