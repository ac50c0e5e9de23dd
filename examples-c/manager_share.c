/* A dict and a list that a manager keeps, changed by children. Adding to a number is one call, with nobody in between:
 * where each child reads it and writes it back, as in Python, some of the visits are lost. */
#include <mp.h>
#include <stdio.h>

enum { CHILDREN = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the dict, and the list. */
static int visit(mp_child *self, void *user)
{
    mp_proxy *dict = mp_child_proxy(self, 0), *list = mp_child_proxy(self, 1);

    (void)user;
    if (mp_proxy_fetch_add(dict, mp_item_text("visits"), 1, NULL) < 0 ||
        mp_proxy_set(dict, mp_item_text("processed"), mp_item_bool(true)) < 0 ||
        mp_proxy_append(list, mp_item_text("done")) < 0)
        return failed();
    return 0;
}

static int print(const mp_proxy *object)
{
    mp_buffer *text;
    size_t len;
    const char *data;

    if (mp_proxy_str(object, &text) < 0)
        return failed();
    data = mp_buffer_data(text, &len);
    printf("%.*s\n", (int)len, data);
    return mp_buffer_free(text) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    mp_proxy *dict, *list, *numbers;
    mp_process *child[CHILDREN];
    mp_item item[CHILDREN];
    mp_manager *manager;
    int i;

    for (i = 0; i < CHILDREN; i++)
        item[i] = mp_item_int(i);
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_manager_new(&manager, NULL) < 0 ||
        mp_manager_start(manager) < 0 ||
        mp_manager_create(manager, &dict, "dict", NULL, 0) < 0 ||
        mp_manager_create(manager, &list, "list", NULL, 0) < 0 ||
        mp_manager_create(manager, &numbers, "list", item, CHILDREN) < 0 ||
        mp_proxy_set(dict, mp_item_text("processed"), mp_item_bool(false)) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_new(&child[i], visit, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], dict) < 0 ||
            mp_process_add_handle(child[i], list) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    if (mp_proxy_call(numbers, "reverse", NULL, 0, NULL, MP_FOREVER) < 0 ||
        print(dict) != 0 || print(list) != 0 || print(numbers) != 0)
        return failed();
    if (mp_proxy_free(dict) < 0 || mp_proxy_free(list) < 0 || mp_proxy_free(numbers) < 0 ||
        mp_manager_free(manager) < 0)
        return failed();
    return 0;
}
