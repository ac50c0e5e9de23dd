/* A list and memory that a manager makes, and that go with it: four workers change their parts of the list in place,
 * and each leaves its sum in the memory. */
#include <mp.h>
#include <stdio.h>

enum { ITEMS = 2000, WORKERS = 4 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the list, the memory, and the worker's number. */
static int doubles(mp_child *self, void *user)
{
    mp_shareable_list *list = mp_child_shareable_list(self, 0);
    int worker = *(const int *)mp_child_bytes(self, 2, NULL), i;
    int64_t sum = 0;
    void *sums;
    mp_item item;

    (void)user;
    for (i = worker * (ITEMS / WORKERS); i < (worker + 1) * (ITEMS / WORKERS); i++) {
        if (mp_shareable_list_get(list, (size_t)i, &item, NULL, 0) < 0)
            return failed();
        item.integer *= 2;
        sum += item.integer;
        if (mp_shareable_list_set(list, (size_t)i, &item) < 0)
            return failed();
    }
    if (mp_shared_memory_data(mp_child_shared_memory(self, 1), &sums, NULL) < 0)
        return failed();
    ((int64_t *)sums)[worker] = sum;
    return 0;
}

static int share(mp_manager *manager)
{
    mp_proxy *list_proxy, *memory_proxy;
    mp_item item[ITEMS], size = mp_item_int(WORKERS * sizeof(int64_t));
    mp_process *child[WORKERS];
    mp_shareable_list *list;
    mp_shared_memory *memory;
    int64_t total = 0;
    void *sums;
    int i;

    for (i = 0; i < ITEMS; i++)
        item[i] = mp_item_int(i);
    if (mp_manager_create(manager, &list_proxy, "ShareableList", item, ITEMS) < 0 ||
        mp_manager_create(manager, &memory_proxy, "SharedMemory", &size, 1) < 0 ||
        mp_proxy_shareable_list(list_proxy, &list) < 0 ||
        mp_proxy_shared_memory(memory_proxy, &memory) < 0 ||
        mp_shared_memory_data(memory, &sums, NULL) < 0)
        return failed();
    for (i = 0; i < WORKERS; i++)
        if (mp_process_new(&child[i], doubles, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], list) < 0 ||
            mp_process_add_handle(child[i], memory) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < WORKERS; i++) {
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
        printf("worker %d: %ld\n", i, (long)((int64_t *)sums)[i]);
        total += ((int64_t *)sums)[i];
    }
    printf("together: %ld\n", (long)total);
    if (mp_shareable_list_get(list, ITEMS - 1, item, NULL, 0) < 0 ||
        mp_shareable_list_free(list) < 0 || mp_shared_memory_free(memory) < 0 ||
        mp_proxy_free(list_proxy) < 0 || mp_proxy_free(memory_proxy) < 0)
        return failed();
    printf("the last item: %ld\n", (long)item[0].integer);
    return 0;
}

int main(int argc, char **argv)
{
    mp_manager *manager;
    int code = -1;

    if (mp_bootstrap(argc, argv) < 0 || mp_manager_new(&manager, NULL) < 0)
        return failed();
    /* Whatever the manager made goes with it. */
    MP_WITH_MANAGER(manager)
        code = share(manager);
    return code < 0 ? failed() : code;
}
