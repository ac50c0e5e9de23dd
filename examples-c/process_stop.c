/* Patience first, and then the ways to stop a process from outside: SIGTERM, and SIGKILL. What it held goes on to
 * others; still, asking it is kinder: event_stop.c. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int never_ends(mp_child *self, void *user)
{
    (void)self;
    (void)user;
    while (pause() != 0)
        continue;
    return 0;
}

static int show(const mp_process *process)
{
    char text[100];
    bool alive;

    if (mp_process_describe(process, text, sizeof text, NULL) < 0 ||
        mp_process_is_alive(process, &alive) < 0)
        return failed();
    printf("%s %s\n", text, alive ? "alive" : "not alive");
    return 0;
}

static int stop_by(mp_status (*stops)(mp_process *))
{
    mp_process *child;
    mp_status status;
    int code;

    if (mp_process_new(&child, never_ends, NULL, NULL) < 0 || show(child) != 0 ||
        mp_process_start(child) < 0 || show(child) != 0)
        return failed();
    status = mp_process_join(child, MP_MS(10));
    if (status != MP_ERR_TIMEOUT)
        return failed();
    printf("it still runs\n");
    if (stops(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_exitcode(child, &code) < 0 || show(child) != 0)
        return failed();
    printf("exit code %d\n", code);
    return mp_process_free(child) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    return stop_by(mp_process_terminate) || stop_by(mp_process_kill);
}
