/* The program's own records, and those of the library, on stderr; here stderr is stdout. A child logs as its parent. To
 * see what the library does in a program that stands still, set MP_LOG=debug in its environment. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int task(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    return mp_log_write(MP_LOG_WARNING, "doomed, too") < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process *child;

    if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0 || mp_bootstrap(argc, argv) < 0 ||
        mp_log_write(MP_LOG_CRITICAL, "nobody has asked for records yet") < 0 ||
        mp_log_to_stderr(MP_LOG_INFO) < 0 ||
        mp_log_write(MP_LOG_WARNING, "doomed") < 0 ||
        mp_log_write(MP_LOG_DEBUG, "below the level") < 0 ||
        mp_process_new(&child, task, NULL, NULL) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_free(child) < 0)
        return failed();
    return 0;
}
