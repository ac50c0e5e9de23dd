/* A child puts a million characters, and is joined before anybody gets them. In Python this waits for ever: its Queue
 * hands messages over in a thread of the child. Here a put that has returned is in the queue. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 1000000 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the queue. */
static int puts_much(mp_child *self, void *user)
{
    char *text = malloc(LENGTH);
    mp_status status;

    (void)user;
    if (text == NULL)
        return 1;
    memset(text, 'X', LENGTH);
    status = mp_queue_put(mp_child_queue(self, 0), text, LENGTH, MP_FOREVER);
    free(text);
    return status < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process *child;
    mp_buffer *text;
    mp_queue *queue;
    size_t len;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&child, puts_much, NULL, NULL) < 0 ||
        mp_process_add_handle(child, queue) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_queue_get_buffer(queue, &text, MP_FOREVER) < 0 ||
        mp_buffer_data(text, &len) == NULL)
        return failed();
    printf("%d characters\n", (int)len);
    if (mp_buffer_free(text) < 0 || mp_process_free(child) < 0 || mp_queue_free(queue) < 0)
        return failed();
    return 0;
}
