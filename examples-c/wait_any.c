/* Two children answer when they like; the parent takes whichever answer is there. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int answers(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    int64_t i;

    (void)user;
    for (i = 1; i <= 100; i++)
        if (mp_queue_put(queue, &i, sizeof i, MP_FOREVER) < 0)
            return failed();
    return mp_queue_put_none(queue, MP_FOREVER) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_wait_item items[2] = {{NULL, -1, false}, {NULL, -1, false}};
    mp_queue *queues[2];
    mp_process *children[2];
    int64_t x, sum = 0;
    int i, open = 2;
    bool none;

    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    for (i = 0; i < 2; i++) {
        if (mp_queue_new(&queues[i], NULL) < 0 ||
            mp_process_new(&children[i], answers, NULL, NULL) < 0 ||
            mp_process_add_handle(children[i], queues[i]) < 0 ||
            mp_process_start(children[i]) < 0)
            return failed();
        items[i].handle = queues[i];
    }
    while (open > 0) {
        if (mp_wait(items, 2, NULL, MP_FOREVER) < 0)
            return failed();
        for (i = 0; i < 2; i++) {
            if (!items[i].ready)
                continue;
            if (mp_queue_get(queues[i], &x, sizeof x, NULL, &none, MP_NO_WAIT) < 0)
                return failed();
            if (none)
                open--;
            else
                sum += x;
        }
    }
    printf("%d\n", (int)sum);
    for (i = 0; i < 2; i++) {
        if (mp_process_join(children[i], MP_FOREVER) < 0)
            return failed();
        mp_process_free(children[i]);
        mp_queue_free(queues[i]);
    }
    return 0;
}
