/* A producer and a consumer; "none" says that there is no more. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the queue. */
static int produce(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    int i;

    (void)user;
    for (i = 0; i < 5; i++)
        if (mp_queue_put(queue, &i, sizeof i, MP_FOREVER) < 0)
            return failed();
    return mp_queue_put_none(queue, MP_FOREVER) < 0 ? failed() : 0;
}

static int consume(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    bool none;
    int i;

    (void)user;
    for (;;) {
        if (mp_queue_get(queue, &i, sizeof i, NULL, &none, MP_FOREVER) < 0)
            return failed();
        if (none)
            return 0;
        printf("Received: %d\n", i);
    }
}

int main(int argc, char **argv)
{
    const mp_process_fn does[] = {produce, consume};
    mp_process *child[2];
    mp_queue *queue;
    int i;

    if (mp_bootstrap(argc, argv) < 0 || mp_queue_new(&queue, NULL) < 0)
        return failed();
    for (i = 0; i < 2; i++)
        if (mp_process_new(&child[i], does[i], NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], queue) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < 2; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    return mp_queue_free(queue) < 0 ? failed() : 0;
}
