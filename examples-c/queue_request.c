/* Requests that bring the queue for their answer along: whoever works them off need not know who asks. */
#include <mp.h>
#include <stdint.h>
#include <stdio.h>

enum { WORKERS = 2, REQUESTS = 5 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Runs in each child, until the queue of requests is shut down. */
static int work(mp_child *self, void *user)
{
    mp_queue *requests = mp_child_queue(self, 0), *reply;
    mp_buffer *request;

    (void)user;
    while (mp_queue_get_buffer(requests, &request, MP_FOREVER) == MP_OK) {
        const int64_t *x = mp_buffer_data(request, NULL);
        int64_t answer = *x * *x;

        reply = mp_buffer_handle(request, 0);
        if (reply == NULL || mp_queue_put(reply, &answer, sizeof answer, MP_FOREVER) < 0)
            return failed();
        mp_queue_free(reply);
        mp_buffer_free(request);
    }
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *child[WORKERS];
    mp_queue *requests, *reply;
    int64_t x, answer;
    int i;

    if (mp_bootstrap(argc, argv) < 0 || mp_queue_new(&requests, NULL) < 0)
        return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_new(&child[i], work, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], requests) < 0 || mp_process_start(child[i]) < 0)
            return failed();
    for (x = 1; x <= REQUESTS; x++) {
        const void *handle;

        if (mp_queue_new(&reply, NULL) < 0)
            return failed();
        handle = reply;
        if (mp_queue_put_handles(requests, &x, sizeof x, &handle, 1, MP_FOREVER) < 0 ||
            mp_queue_get(reply, &answer, sizeof answer, NULL, NULL, MP_FOREVER) < 0)
            return failed();
        printf("%d squared is %d\n", (int)x, (int)answer);
        mp_queue_free(reply);
    }
    if (mp_queue_shutdown(requests, false) < 0)
        return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    return mp_queue_free(requests) < 0 ? failed() : 0;
}
