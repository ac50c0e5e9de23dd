/* Five children tell who they and their parent are; meanwhile the parent lists them. */
#include <mp.h>
#include <stdio.h>
#include <unistd.h>

enum { CHILDREN = 5 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int describe(const char *what, const mp_process *process)
{
    char text[100];

    if (mp_process_describe(process, text, sizeof text, NULL) < 0)
        return failed();
    printf("%s: %s\n", what, text);
    return 0;
}

/* Arguments: what says that the parent has seen all of them. */
static int task(mp_child *self, void *user)
{
    mp_event *seen = mp_child_event(self, 0);

    (void)user;
    if (mp_event_wait(seen, MP_FOREVER) < 0)
        return failed();
    /* One line, and one write of it: what is printed is flushed when the child ends, not before. */
    if (describe("I am", mp_current_process()) != 0 || describe("my parent", mp_parent_process()) != 0)
        return 1;
    printf("pid %d of parent %d\n", (int)getpid(), (int)getppid());
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[CHILDREN], *active[CHILDREN];
    mp_event *seen;
    size_t count;
    int i, pid;

    if (mp_bootstrap(argc, argv) < 0 || mp_event_new(&seen, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_new(&child[i], task, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], seen) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    if (mp_active_children(active, CHILDREN, &count) < 0)
        return failed();
    printf("Active Children Count: %d\n", (int)count);
    for (i = 0; i < (int)count; i++)
        if (describe("active", active[i]) != 0 || mp_process_free(active[i]) < 0)
            return failed();
    if (mp_event_set(seen) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++) {
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_pid(child[i], &pid) < 0)
            return failed();
        printf("joined %s, pid %d\n", mp_process_name(child[i]), pid);
        mp_process_free(child[i]);
    }
    printf("main has pid %d\n", (int)getpid());
    return mp_event_free(seen) < 0 ? failed() : 0;
}
