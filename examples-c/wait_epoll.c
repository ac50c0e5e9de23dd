/* The program's own event loop, here epoll, waits for a queue and for a child's end. */
#include <mp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int counts(mp_child *self, void *user)
{
    static const char *const words[] = {"one", "two", "three"};
    mp_queue *queue = mp_child_queue(self, 0);
    size_t i;

    (void)user;
    for (i = 0; i < 3; i++)
        if (mp_queue_put(queue, words[i], strlen(words[i]), MP_FOREVER) < 0)
            return failed();
    return 0;
}

/* All that there is: it may be several messages, or none, if somebody else was faster. */
static void print_messages(mp_queue *queue)
{
    char text[100];
    size_t len;

    while (mp_queue_get(queue, text, sizeof text, &len, NULL, MP_NO_WAIT) == MP_OK)
        printf("%.*s\n", (int)len, text);
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN};
    int loop = epoll_create1(EPOLL_CLOEXEC), queue_fd, child_fd, ended = 0;
    mp_process *child;
    mp_queue *queue;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&child, counts, NULL, NULL) < 0 ||
        mp_process_add_handle(child, queue) < 0 ||
        mp_process_start(child) < 0 ||
        mp_descriptor(queue, &queue_fd) < 0 ||
        mp_descriptor(child, &child_fd) < 0)
        return failed();
    event.data.fd = queue_fd;
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, queue_fd, &event) < 0)
        return perror("epoll"), 1;
    event.data.fd = child_fd;
    if (epoll_ctl(loop, EPOLL_CTL_ADD, child_fd, &event) < 0)
        return perror("epoll"), 1;
    while (!ended && epoll_wait(loop, &event, 1, -1) >= 0) {
        ended = event.data.fd == child_fd;
        print_messages(queue);
    }
    printf("and that was the child\n");
    if (mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    mp_process_free(child);
    mp_queue_free(queue);
    return 0;
}
