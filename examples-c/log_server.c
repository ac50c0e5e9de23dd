/* Many processes log, and one of them writes: into one file, so that no line is lost or torn. Here the file is stdout. */
#include <mp.h>
#include <stdio.h>

enum { WORKERS = 4, RECORDS = 3 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static void write_line(const mp_log_record *record, void *file)
{
    fprintf(file, "%s %s: %s\n", record->level_name, record->process_name, record->message);
}

/* Arguments: the queue of the records. Ends at the message "none". */
static int serve(mp_child *self, void *user)
{
    (void)user;
    return mp_log_listen(mp_child_queue(self, 0), write_line, stdout, MP_FOREVER) < 0 ? failed() : 0;
}

static int work(mp_child *self, void *user)
{
    char text[100];
    int i;

    (void)self;
    (void)user;
    for (i = 0; i < RECORDS; i++) {
        snprintf(text, sizeof text, "step %d", i);
        if (mp_log_write(MP_LOG_WARNING, text) < 0)
            return failed();
    }
    return 0;
}

int main(int argc, char **argv)
{
    mp_process *server, *worker[WORKERS];
    mp_queue *queue;
    int i;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&server, serve, NULL, NULL) < 0 ||
        mp_process_add_handle(server, queue) < 0 ||
        mp_process_start(server) < 0)
        return failed();
    /* From now on this process's records go there, and those of its children. */
    if (mp_log_to_queue(queue) < 0)
        return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_new(&worker[i], work, NULL, NULL) < 0 || mp_process_start(worker[i]) < 0)
            return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_join(worker[i], MP_FOREVER) < 0 || mp_process_free(worker[i]) < 0)
            return failed();
    if (mp_log_to_queue(NULL) < 0 ||
        mp_queue_put_none(queue, MP_FOREVER) < 0 ||
        mp_process_join(server, MP_FOREVER) < 0 ||
        mp_process_free(server) < 0 ||
        mp_queue_free(queue) < 0)
        return failed();
    return 0;
}
