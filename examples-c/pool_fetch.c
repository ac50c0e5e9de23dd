/* A pool of workers maps over strings; the results come in the order of the items. */
#include <mp.h>
#include <stdio.h>
#include <string.h>

enum { URLS = 4 };

/* Runs in a worker process. Items and results may have any length. */
static void fetch(mp_task *task, void *user)
{
    size_t length;
    const char *url = mp_task_input(task, &length);
    char result[100];
    int written = snprintf(result, sizeof result, "fetched: %.*s", (int)length, url);

    (void)user;
    mp_task_return(task, result, (size_t)written);
}

int main(int argc, char **argv)
{
    const char *const url[URLS] = {"a.com", "b.com", "c.com", "d.com"};
    mp_buffer *result[URLS];
    mp_bytes item[URLS];
    mp_pool *pool;
    int i;

    for (i = 0; i < URLS; i++) {
        item[i].data = url[i];
        item[i].len = strlen(url[i]);
    }
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_pool_new(&pool, NULL) < 0 ||
        mp_pool_map(pool, fetch, NULL, item, URLS, result, NULL) < 0 ||
        mp_pool_free(pool) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    for (i = 0; i < URLS; i++) {
        size_t length;
        const char *text = mp_buffer_data(result[i], &length);

        printf("%.*s\n", (int)length, text);
        mp_buffer_free(result[i]);
    }
    return 0;
}
