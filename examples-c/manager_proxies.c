/* What stands for a manager's objects: a list of squares, lists and dicts in a dict, and a Namespace, used by the names
 * of their methods. */
#include <mp.h>
#include <stdio.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
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

/* Calls the method, and prints the integers that it is answered with. */
static int show(const mp_proxy *object, const char *method, const mp_item *items, size_t count)
{
    mp_answer *answer;
    size_t i;

    if (mp_proxy_call(object, method, items, count, &answer, MP_FOREVER) < 0)
        return failed();
    for (i = 0; i < mp_answer_count(answer); i++)
        printf("%s%lld", i > 0 ? " " : "", (long long)mp_answer_int(answer, i));
    puts("");
    return mp_answer_free(answer) < 0 ? failed() : 0;
}

int main(int argc, char **argv)
{
    const mp_item from_2_to_5[] = {mp_item_int(2), mp_item_int(5)}, nobody = mp_item_text("_z");
    mp_item square[10], at_4 = mp_item_int(4), inner;
    mp_proxy *list, *outer, *point, *found;
    mp_manager *manager;
    mp_answer *answer;
    int i;

    for (i = 0; i < 10; i++)
        square[i] = mp_item_int((int64_t)i * i);
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_manager_new(&manager, NULL) < 0 ||
        mp_manager_start(manager) < 0 ||
        mp_manager_create(manager, &list, "list", square, 10) < 0 ||
        mp_manager_create(manager, &outer, "dict", NULL, 0) < 0 ||
        mp_manager_create(manager, &point, "Namespace", NULL, 0) < 0)
        return failed();

    /* l, l[4], l[2:5], len(l) */
    if (print(list) != 0 ||
        show(list, "get", &at_4, 1) != 0 ||
        show(list, "items", from_2_to_5, 2) != 0 ||
        show(list, "len", NULL, 0) != 0)
        return 1;

    /* The list is in the dict now, and not a copy: what is appended here is there, too. */
    inner = mp_item_proxy(list);
    if (mp_proxy_set(outer, mp_item_text("squares"), inner) < 0 ||
        mp_proxy_append(list, mp_item_int(100)) < 0 ||
        mp_proxy_get(outer, mp_item_text("squares"), &answer) < 0 ||
        mp_answer_proxy(answer, 0, &found) < 0 ||
        show(found, "len", NULL, 0) != 0 ||
        mp_answer_free(answer) < 0 ||
        mp_proxy_free(found) < 0)
        return failed();

    /* A name that begins with _ is no attribute of the object. */
    if (mp_proxy_set(point, mp_item_text("x"), mp_item_int(10)) < 0 ||
        mp_proxy_set(point, mp_item_text("y"), mp_item_text("hello")) < 0)
        return failed();
    if (mp_proxy_set(point, nobody, mp_item_double(12.3)) == MP_ERR_INVALID)
        puts(mp_last_error());
    if (print(point) != 0)
        return 1;
    if (mp_proxy_free(list) < 0 || mp_proxy_free(outer) < 0 || mp_proxy_free(point) < 0 ||
        mp_manager_free(manager) < 0)
        return failed();
    return 0;
}
