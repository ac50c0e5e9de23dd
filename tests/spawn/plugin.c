/* A library that a program loads after its main began: two functions that give ANSWER. */
#include <mp.h>

int plugin_process(mp_child *self, void *user);
void plugin_task(mp_task *task, void *user);

int plugin_process(mp_child *self, void *user)
{
    (void)user;
    return ANSWER + (int)mp_child_count(self);
}

void plugin_task(mp_task *task, void *user)
{
    const int32_t *x = mp_task_input(task, NULL);
    int32_t y = *x * ANSWER;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}
