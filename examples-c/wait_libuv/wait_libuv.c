/* The program's own event loop, here libuv's, waits for a queue, for a child's end and for a pool's result. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static mp_queue *queue;
static mp_result *result;

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int counts(mp_child *self, void *user)
{
    static const char *const words[] = {"one", "two", "three"};
    mp_queue *words_for = mp_child_queue(self, 0);
    size_t i;

    (void)user;
    for (i = 0; i < 3; i++)
        if (mp_queue_put(words_for, words[i], strlen(words[i]), MP_FOREVER) < 0)
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

static void stop(uv_poll_t *watch)
{
    uv_poll_stop(watch);
    uv_close((uv_handle_t *)watch, NULL);
}

/* Takes all that there is: it may be several messages, or none, if somebody else was faster. */
static void on_message(uv_poll_t *watch, int error, int events)
{
    static int messages;
    char text[100];
    size_t len;

    (void)error;
    (void)events;
    while (mp_queue_get(queue, text, sizeof text, &len, NULL, MP_NO_WAIT) == MP_OK) {
        printf("%.*s\n", (int)len, text);
        messages++;
    }
    if (messages == 3)
        stop(watch);
}

static void on_end(uv_poll_t *watch, int error, int events)
{
    (void)error;
    (void)events;
    printf("the child has ended\n");
    stop(watch);
}

static void on_result(uv_poll_t *watch, int error, int events)
{
    mp_buffer *value;
    int y;

    (void)error;
    (void)events;
    if (mp_result_get(result, MP_NO_WAIT, &value) < 0)
        exit(failed());
    memcpy(&y, mp_buffer_data(value, NULL), sizeof y);
    printf("12 squared is %d\n", y);
    mp_buffer_free(value);
    stop(watch);
}

static int watch(uv_poll_t *poll, const void *handle, uv_poll_cb call)
{
    int fd, error;

    if (mp_descriptor(handle, &fd) < 0)
        return failed();
    error = uv_poll_init(uv_default_loop(), poll, fd);
    if (error == 0)
        error = uv_poll_start(poll, UV_READABLE, call);
    if (error != 0)
        fprintf(stderr, "%s\n", uv_strerror(error));
    return error;
}

int main(int argc, char **argv)
{
    uv_poll_t of_queue, of_child, of_result;
    mp_process *child;
    mp_pool *pool;
    int x = 12;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&child, counts, NULL, NULL) < 0 ||
        mp_process_add_handle(child, queue) < 0 ||
        mp_process_start(child) < 0 ||
        mp_pool_new(&pool, NULL) < 0 ||
        mp_pool_apply_async(pool, squares, NULL, &x, sizeof x, NULL, NULL, &result) < 0)
        return failed();
    if (watch(&of_queue, queue, on_message) != 0 ||
        watch(&of_child, child, on_end) != 0 ||
        watch(&of_result, result, on_result) != 0)
        return 1;
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop());
    if (mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    mp_result_free(result);
    mp_pool_free(pool);
    mp_process_free(child);
    mp_queue_free(queue);
    return 0;
}
