/* A child puts messages into a queue: a number, "none", and text. Prints [42, None, 'hello']. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the queue. */
static int puts_three(mp_child *self, void *user)
{
    mp_queue *queue = mp_child_queue(self, 0);
    const int number = 42;

    (void)user;
    if (mp_queue_put(queue, &number, sizeof number, MP_FOREVER) < 0 ||
        mp_queue_put_none(queue, MP_FOREVER) < 0 ||
        mp_queue_put(queue, "hello", strlen("hello"), MP_FOREVER) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child;
    mp_queue *queue;
    char text[100];
    size_t len;
    bool none;
    int number;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&child, puts_three, NULL, NULL) < 0 ||
        mp_process_add_handle(child, queue) < 0 ||
        mp_process_start(child) < 0)
        return failed();
    if (mp_queue_get(queue, &number, sizeof number, NULL, NULL, MP_FOREVER) < 0 ||
        mp_queue_get(queue, NULL, 0, NULL, &none, MP_FOREVER) < 0 ||
        mp_queue_get(queue, text, sizeof text, &len, NULL, MP_FOREVER) < 0)
        return failed();
    printf("[%d, %s, '%.*s']\n", number, none ? "None" : "?", (int)len, text);
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0 || mp_queue_free(queue) < 0)
        return failed();
    return 0;
}
