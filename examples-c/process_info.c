/* What can be asked of a process, before it has started too, and of the program itself. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static const char *yes(bool it_is)
{
    return it_is ? "true" : "false";
}

int main(int argc, char **argv)
{
    mp_process_options options = MP_PROCESS_OPTIONS;
    mp_process *plain, *named;
    bool daemon, alive;
    size_t children;
    char text[100];
    int pid;

    options.name = "MyProcess";
    options.daemon = true;
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_process_new(&plain, NULL, NULL, NULL) < 0 ||
        mp_process_new(&named, NULL, NULL, &options) < 0 ||
        mp_process_daemon(plain, &daemon) < 0 ||
        mp_process_is_alive(plain, &alive) < 0)
        return failed();
    printf("%s, daemon: %s, alive: %s, ", mp_process_name(plain), yes(daemon), yes(alive));
    if (mp_process_pid(plain, &pid) == MP_ERR_STATE)
        printf("pid: none\n");
    if (mp_process_daemon(named, &daemon) < 0)
        return failed();
    printf("%s, daemon: %s\n", mp_process_name(named), yes(daemon));

    if (mp_process_set_name(plain, "Renamed") < 0 ||
        mp_process_set_daemon(plain, true) < 0 ||
        mp_process_daemon(plain, &daemon) < 0)
        return failed();
    printf("%s, daemon: %s\n", mp_process_name(plain), yes(daemon));
    if (mp_process_start(plain) < 0 ||
        mp_process_pid(plain, &pid) < 0 ||
        mp_process_join(plain, MP_FOREVER) < 0)
        return failed();
    printf("started, its pid: %s\n", pid > 0 && pid != getpid() ? "one of its own" : "?");

    if (mp_process_describe(mp_current_process(), text, sizeof text, NULL) < 0 ||
        mp_active_children(NULL, 0, &children) < 0)
        return failed();
    printf("this is %s: %s\n", mp_process_name(mp_current_process()), text);
    printf("its parent: %s\n", mp_parent_process() == NULL ? "none" : "?");
    printf("Active Children Count: %d\n", (int)children);
    printf("CPUs: %s\n", mp_cpu_count() > 0 ? "some" : "none");
    if (mp_process_free(plain) < 0 || mp_process_free(named) < 0)
        return failed();
    return 0;
}
