/* A queue of at most three messages: to put and to get without waiting, and for a while. A timeout is always given;
 * MP_NO_WAIT, and any negative one, tries once. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int show(const mp_queue *queue)
{
    bool empty, full;
    size_t size;

    if (mp_queue_size(queue, &size) < 0 || mp_queue_empty(queue, &empty) < 0 || mp_queue_full(queue, &full) < 0)
        return failed();
    printf("%d in it%s%s\n", (int)size, empty ? ", empty" : "", full ? ", full" : "");
    return 0;
}

int main(int argc, char **argv)
{
    mp_queue_options options = MP_QUEUE_OPTIONS;
    mp_queue *queue;
    int i, number;

    options.maxsize = 3;
    if (mp_bootstrap(argc, argv) < 0 || mp_queue_new(&queue, &options) < 0 || show(queue) != 0)
        return failed();
    for (i = 1; mp_queue_put(queue, &i, sizeof i, MP_NO_WAIT) == MP_OK; i++)
        if (show(queue) != 0)
            return 1;
    printf("put %d at once: %s\n", i, mp_status_name(mp_queue_put(queue, &i, sizeof i, MP_NO_WAIT)));
    printf("put %d within 10 ms: %s\n", i, mp_status_name(mp_queue_put(queue, &i, sizeof i, MP_MS(10))));
    while (mp_queue_get(queue, &number, sizeof number, NULL, NULL, MP_NO_WAIT) == MP_OK)
        printf("got %d\n", number);
    printf("get at once: %s\n", mp_status_name(mp_queue_get(queue, NULL, 0, NULL, NULL, MP_NO_WAIT)));
    printf("get within 10 ms: %s\n", mp_status_name(mp_queue_get(queue, NULL, 0, NULL, NULL, MP_MS(10))));
    if (show(queue) != 0)
        return 1;
    return mp_queue_free(queue) < 0 ? failed() : 0;
}
