/* The program's own event loop, here epoll, waits for a queue, for a pool's result and for a child's end. */
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

static void squares(mp_task *task, void *user)
{
    const int *x = mp_task_input(task, NULL);
    int y = *x * *x;

    (void)user;
    mp_task_return(task, &y, sizeof y);
}

/* All that there is: it may be several messages, or none, if somebody else was faster. */
static void print_messages(mp_queue *queue)
{
    char text[100];
    size_t len;

    while (mp_queue_get(queue, text, sizeof text, &len, NULL, MP_NO_WAIT) == MP_OK)
        printf("%.*s\n", (int)len, text);
}

static int print_result(mp_result *result)
{
    mp_buffer *value;
    int y;

    if (mp_result_get(result, MP_NO_WAIT, &value) < 0)
        return failed();
    memcpy(&y, mp_buffer_data(value, NULL), sizeof y);
    printf("12 squared is %d\n", y);
    return mp_buffer_free(value) < 0;
}

/* Has the loop wait for one more thing. */
static int watch(int loop, const void *handle, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (mp_descriptor(handle, fd) < 0)
        return failed();
    event.data.fd = *fd;
    if (epoll_ctl(loop, EPOLL_CTL_ADD, *fd, &event) < 0)
        return perror("epoll"), 1;
    return 0;
}

int main(int argc, char **argv)
{
    int loop = epoll_create1(EPOLL_CLOEXEC), queue_fd, result_fd, child_fd, awaited = 2, x = 12;
    struct epoll_event event;
    mp_process *child;
    mp_result *result;
    mp_queue *queue;
    mp_pool *pool;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&child, counts, NULL, NULL) < 0 ||
        mp_process_add_handle(child, queue) < 0 ||
        mp_process_start(child) < 0 ||
        mp_pool_new(&pool, NULL) < 0 ||
        mp_pool_apply_async(pool, squares, NULL, &x, sizeof x, NULL, NULL, &result) < 0)
        return failed();
    if (watch(loop, queue, &queue_fd) != 0 ||
        watch(loop, result, &result_fd) != 0 ||
        watch(loop, child, &child_fd) != 0)
        return 1;
    while (awaited > 0 && epoll_wait(loop, &event, 1, -1) == 1) {
        if (event.data.fd == queue_fd) {
            print_messages(queue);
            continue;
        }
        /* What is over is readable for good: it has said all that it has to say. */
        epoll_ctl(loop, EPOLL_CTL_DEL, event.data.fd, NULL);
        awaited--;
        if (event.data.fd == result_fd && print_result(result) != 0)
            return 1;
    }
    print_messages(queue);
    printf("and that was all\n");
    if (mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    mp_result_free(result);
    mp_pool_free(pool);
    mp_process_free(child);
    mp_queue_free(queue);
    return 0;
}
