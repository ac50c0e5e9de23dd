/* Four children write ten messages each into pipes of their own; the parent takes whichever comes first. A pipe whose
 * child has ended is at its end, for the parent has freed the ends that it gave away. */
#include <mp.h>
#include <stdio.h>

enum { CHILDREN = 4, MESSAGES = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the end that sends. */
static int writes(mp_child *self, void *user)
{
    mp_connection *to = mp_child_connection(self, 0);
    int i;

    (void)user;
    for (i = 0; i < MESSAGES; i++)
        if (mp_connection_send(to, &i, sizeof i, MP_FOREVER) < 0)
            return failed();
    return 0;
}

int main(int argc, char **argv)
{
    mp_pipe_options one_way = MP_PIPE_OPTIONS;
    mp_wait_item item[CHILDREN];
    mp_process *child[CHILDREN];
    mp_connection *from, *to;
    int i, open = CHILDREN, messages = 0, message;
    mp_status status;

    one_way.duplex = false;
    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++) {
        if (mp_pipe_new(&from, &to, &one_way) < 0 ||
            mp_process_new(&child[i], writes, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], to) < 0 ||
            mp_process_start(child[i]) < 0 ||
            mp_connection_free(to) < 0)
            return failed();
        item[i].handle = from;
    }
    while (open > 0) {
        if (mp_wait(item, (size_t)open, NULL, MP_FOREVER) < 0)
            return failed();
        for (i = open - 1; i >= 0; i--) {
            if (!item[i].ready)
                continue;
            from = (mp_connection *)item[i].handle;
            status = mp_connection_recv(from, &message, sizeof message, NULL, MP_FOREVER);
            if (status == MP_ERR_EOF) {
                mp_connection_free(from);
                item[i] = item[--open];
            } else if (status < 0) {
                return failed();
            } else {
                messages++;
            }
        }
    }
    printf("%d messages\n", messages);
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    return 0;
}
