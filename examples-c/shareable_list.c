/* A child reads a list of mixed items in shared memory and changes some of them. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

static int print(const mp_shareable_list *list)
{
    size_t length, i;

    if (mp_shareable_list_length(list, &length) < 0)
        return -1;
    for (i = 0; i < length; i++) {
        char room[32];
        mp_item item;

        if (mp_shareable_list_get(list, i, &item, room, sizeof room) < 0)
            return -1;
        printf("%s", i == 0 ? "[" : ", ");
        switch (item.kind) {
        case MP_ITEM_INT: printf("%d", (int)item.integer); break;
        case MP_ITEM_DOUBLE: printf("%g", item.number); break;
        case MP_ITEM_BOOL: printf("%s", item.boolean ? "true" : "false"); break;
        case MP_ITEM_TEXT: printf("\"%s\"", room); break;
        case MP_ITEM_BYTES: printf("%d bytes", (int)item.data_size); break;
        default: printf("none"); break;
        }
    }
    printf("]\n");
    return 0;
}

/* Runs in the child. */
static int change(mp_child *self, void *user)
{
    mp_shareable_list *list = mp_child_shareable_list(self, 0);
    mp_item name = {.kind = MP_ITEM_TEXT, .data = "dog", .data_size = 3};
    mp_item answer = {.kind = MP_ITEM_INT, .integer = 42};

    (void)user;
    if (list == NULL ||
        mp_shareable_list_set(list, 0, &name) < 0 ||
        mp_shareable_list_set(list, 4, &answer) < 0)
        return failed();
    return 0;
}

int main(int argc, char **argv)
{
    const mp_item items[] = {
        {.kind = MP_ITEM_TEXT, .data = "howdy", .data_size = 5},
        {.kind = MP_ITEM_BYTES, .data = "HoWdY", .data_size = 5},
        {.kind = MP_ITEM_DOUBLE, .number = -273.154},
        {.kind = MP_ITEM_INT, .integer = 100},
        {.kind = MP_ITEM_NONE},
        {.kind = MP_ITEM_BOOL, .boolean = true},
    };
    mp_shareable_list *list;
    mp_process *child;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_shareable_list_new(&list, items, sizeof items / sizeof *items, NULL) < 0 ||
        print(list) < 0 ||
        mp_process_new(&child, change, NULL, NULL) < 0 ||
        mp_process_add_handle(child, list) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_free(child) < 0 ||
        print(list) < 0 ||
        mp_shareable_list_free(list) < 0)
        return failed();
    return 0;
}
