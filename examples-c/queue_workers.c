/* Four workers take tasks from one queue and put answers into another; a "none" for each tells them to stop. A pool does
 * all this by itself: pool_square.c. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 4, TASKS = 20, MORE = 10 };

typedef struct task {
    char what;
    int a, b;
} task;

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the queues of tasks and answers. */
static int work(mp_child *self, void *user)
{
    mp_queue *tasks = mp_child_queue(self, 0), *done = mp_child_queue(self, 1);
    char text[100];
    bool none;
    task t;

    (void)user;
    for (;;) {
        if (mp_queue_get(tasks, &t, sizeof t, NULL, &none, MP_FOREVER) < 0)
            return failed();
        if (none)
            return 0;
        snprintf(text, sizeof text, "%s says that %d %c %d = %d", mp_process_name(mp_current_process()),
                 t.a, t.what, t.b, t.what == '*' ? t.a * t.b : t.a + t.b);
        if (mp_queue_put(done, text, strlen(text) + 1, MP_FOREVER) < 0)
            return failed();
    }
}

static int put_tasks(mp_queue *tasks, char what, int count, int by)
{
    task t = {what, 0, by};

    for (t.a = 0; t.a < count; t.a++)
        if (mp_queue_put(tasks, &t, sizeof t, MP_FOREVER) < 0)
            return failed();
    return 0;
}

static int print_answers(mp_queue *done, int count)
{
    char text[100];
    int i;

    for (i = 0; i < count; i++) {
        if (mp_queue_get(done, text, sizeof text, NULL, NULL, MP_FOREVER) < 0)
            return failed();
        printf("%s\n", text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[WORKERS];
    mp_queue *tasks, *done;
    int i;

    if (mp_bootstrap(argc, argv) < 0 || mp_queue_new(&tasks, NULL) < 0 || mp_queue_new(&done, NULL) < 0)
        return failed();
    if (put_tasks(tasks, '*', TASKS, 7) != 0)
        return 1;
    for (i = 0; i < WORKERS; i++)
        if (mp_process_new(&child[i], work, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], tasks) < 0 ||
            mp_process_add_handle(child[i], done) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    if (print_answers(done, TASKS) != 0 || put_tasks(tasks, '+', MORE, 8) != 0 || print_answers(done, MORE) != 0)
        return 1;
    for (i = 0; i < WORKERS; i++)
        if (mp_queue_put_none(tasks, MP_FOREVER) < 0)
            return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    if (mp_queue_free(tasks) < 0 || mp_queue_free(done) < 0)
        return failed();
    return 0;
}
