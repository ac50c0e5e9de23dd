/* The two ends of a pipe: both send and receive unless asked otherwise. A message keeps its length, and a receiver finds
 * out whether one is there, and for how long to wait for it. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: its end. */
static int talks(mp_child *self, void *user)
{
    mp_connection *to = mp_child_connection(self, 0);
    const int numbers[] = {0, 1, 2, 3, 4};
    char text[20];
    size_t len;

    (void)user;
    if (mp_connection_recv(to, text, sizeof text, &len, MP_FOREVER) < 0)
        return failed();
    printf("the child got \"%.*s\"\n", (int)len, text);
    fflush(stdout);
    if (mp_connection_send(to, "thank you", strlen("thank you"), MP_FOREVER) < 0 ||
        mp_connection_send(to, numbers, sizeof numbers, MP_FOREVER) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    int numbers[10] = {0}, i;
    mp_connection *first, *second;
    mp_process *child;
    char text[20];
    size_t len;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_pipe_new(&first, &second, NULL) < 0 ||
        mp_process_new(&child, talks, NULL, NULL) < 0 ||
        mp_process_add_handle(child, second) < 0 ||
        mp_process_start(child) < 0 ||
        mp_connection_free(second) < 0)
        return failed();
    printf("something there: %s\n", mp_status_name(mp_connection_poll(first, MP_NO_WAIT)));
    printf("within 10 ms: %s\n", mp_status_name(mp_connection_poll(first, MP_MS(10))));
    fflush(stdout);
    if (mp_connection_send(first, "Hello world", strlen("Hello world"), MP_FOREVER) < 0 ||
        mp_connection_poll(first, MP_FOREVER) < 0 ||
        mp_connection_recv(first, text, sizeof text, &len, MP_FOREVER) < 0)
        return failed();
    printf("the parent got \"%.*s\"\n", (int)len, text);
    /* Into an array of ten: the message has its own length, and what lies behind it stays. */
    if (mp_connection_recv(first, numbers, sizeof numbers, &len, MP_FOREVER) < 0)
        return failed();
    printf("%d bytes:", (int)len);
    for (i = 0; i < 10; i++)
        printf(" %d", numbers[i]);
    printf("\nand then: %s\n", mp_status_name(mp_connection_recv(first, text, sizeof text, &len, MP_FOREVER)));
    if (mp_process_join(child, MP_FOREVER) < 0 || mp_process_free(child) < 0 || mp_connection_free(first) < 0)
        return failed();
    return 0;
}
