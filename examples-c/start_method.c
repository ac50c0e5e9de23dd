/* How processes come into being: a default for the program, and contexts for whoever wants another. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: where the greeting goes. */
static int greets(mp_child *self, void *user)
{
    (void)user;
    return mp_queue_put(mp_child_queue(self, 0), "hello", 5, MP_FOREVER) < 0 ? failed() : 0;
}

static int hear(const char *by, const mp_process_options *options)
{
    mp_process *child;
    mp_queue *queue;
    char text[10];
    size_t len;

    if (mp_queue_new(&queue, NULL) < 0 ||
        mp_process_new(&child, greets, NULL, options) < 0 ||
        mp_process_add_handle(child, queue) < 0 ||
        mp_process_start(child) < 0 ||
        mp_queue_get(queue, text, sizeof text, &len, NULL, MP_FOREVER) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    printf("%s: %.*s\n", by, (int)len, text);
    return mp_process_free(child) < 0 || mp_queue_free(queue) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_process_options options = MP_PROCESS_OPTIONS;
    mp_context *context;
    int methods[10];
    size_t count, i;

    /* Once, near the beginning of main; with force also where it has been set before. */
    if (mp_bootstrap(argc, argv) < 0 || mp_set_start_method(MP_START_SPAWN, true) < 0)
        return failed();
    printf("the default is now %s\n", mp_start_method_name(mp_get_start_method()));
    if (mp_set_start_method(MP_START_FORK, false) < 0)
        printf("%s\n", mp_last_error());
    if (hear("by default", NULL) != 0)
        return 1;

    /* A library leaves the default alone and uses a context. */
    if (mp_get_all_start_methods(methods, 10, &count) < 0)
        return failed();
    for (i = 0; i < count; i++) {
        if (mp_context_new(&context, methods[i]) < 0)
            return failed();
        options.context = context;
        if (hear(mp_start_method_name(methods[i]), &options) != 0 || mp_context_free(context) < 0)
            return failed();
    }
    return 0;
}
