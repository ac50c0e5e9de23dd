/* Targets for a program in another language: a library, and with MAIN the executable that spawn runs. */
#include <mp.h>
#include <string.h>

int puts_sum(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    const int64_t *numbers;
    int64_t sum = 0;
    size_t len, i;

    numbers = mp_child_bytes(self, 1, &len);
    if (user != NULL || queue == NULL || numbers == NULL)
        return 1;
    for (i = 0; i < len / sizeof *numbers; i++)
        sum += numbers[i];
    return mp_queue_put(queue, &sum, sizeof sum, MP_SEC(30)) < 0 ? 2 : 42;
}

void cube(mp_task *task, void *user)
{
    int64_t x;

    (void)user;
    memcpy(&x, mp_task_input(task, NULL), sizeof x);
    x = x * x * x;
    mp_task_return(task, &x, sizeof x);
}

int register_all(void)
{
    int status = mp_register_target("puts_sum", (mp_function)puts_sum);

    return status < 0 ? status : mp_register_target("cube", (mp_function)cube);
}

#ifdef MAIN
int main(int argc, char **argv)
{
    if (register_all() < 0 || mp_bootstrap(argc, argv) < 0)
        return 100;
    return 101;
}
#endif
