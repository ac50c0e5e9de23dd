/* The parent waits for a condition that its child notifies. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Argument: the condition. The parent holds its lock until it waits, so that nothing is notified too early. */
static int task(mp_child *self, void *user)
{
    mp_condition *condition = mp_child_condition(self, 0);

    (void)user;
    if (condition == NULL || mp_condition_acquire(condition, MP_FOREVER) < 0)
        return failed();
    printf("Child process sending notification...\n");
    fflush(stdout);
    if (mp_condition_notify(condition, 1) < 0 || mp_condition_release(condition) < 0)
        return failed();
    return 0;
}

static void show(mp_condition *condition)
{
    char text[64];

    if (mp_condition_describe(condition, text, sizeof text, NULL) == MP_OK)
        printf("%s\n", text);
}

int main(int argc, char **argv)
{
    mp_condition *condition;
    mp_process *child;

    if (mp_bootstrap(argc, argv) < 0 || mp_condition_new(&condition, NULL) < 0)
        return failed();
    show(condition);
    if (mp_condition_acquire(condition, MP_FOREVER) < 0)
        return failed();
    show(condition);
    if (mp_process_new(&child, task, NULL, NULL) < 0 ||
        mp_process_add_handle(child, condition) < 0 ||
        mp_process_start(child) < 0)
        return failed();
    printf("Main process waiting for data...\n");
    fflush(stdout);
    if (mp_condition_wait(condition, MP_FOREVER) < 0 || mp_condition_release(condition) < 0)
        return failed();
    printf("Main process all done\n");
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0)
        return failed();
    mp_condition_free(condition);
    return 0;
}
