/* Types of the program's own behind a manager: what can be called of an object are C functions, which run in the
 * manager's server. One type answers numbers, one is the same twice with other methods, and one counts on: each call of
 * next is answered with a square more, and the last with nothing. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* An object without anything in it. */
static void *nothing(mp_call *call)
{
    (void)call;
    return NULL;
}

static void add(mp_call *call, void *object)
{
    (void)object;
    mp_call_return(call, mp_item_int(mp_call_int(call, 0) + mp_call_int(call, 1)));
}

static void mul(mp_call *call, void *object)
{
    (void)object;
    mp_call_return(call, mp_item_int(mp_call_int(call, 0) * mp_call_int(call, 1)));
}

static void f(mp_call *call, void *object)
{
    (void)object;
    mp_call_return(call, mp_item_text("you called Foo.f()"));
}

static void g(mp_call *call, void *object)
{
    (void)object;
    mp_call_return(call, mp_item_text("you called Foo.g()"));
}

static void h(mp_call *call, void *object)
{
    (void)object;
    mp_call_return(call, mp_item_text("you called Foo._h()"));
}

/* A generator is a type with a state. */
static void *squares(mp_call *call)
{
    int64_t *state = calloc(1, sizeof *state);

    if (state == NULL)
        mp_call_fail(call, MP_ERR_NO_MEMORY, "no memory for a generator");
    return state;
}

static void next(mp_call *call, void *object)
{
    int64_t *state = object;

    if (*state < 10)
        mp_call_return(call, mp_item_int(*state * *state));
    ++*state;
}

#define REGISTER(manager, name, ...)                                                               \
    with_methods(manager, name, nothing, NULL, (const mp_object_method[]){__VA_ARGS__},            \
                 sizeof((const mp_object_method[]){__VA_ARGS__}) / sizeof(mp_object_method))

static int with_methods(mp_manager *manager, const char *name, mp_object_create_fn create,
                        mp_object_destroy_fn destroy, const mp_object_method *methods, size_t count)
{
    mp_object_options options = MP_OBJECT_OPTIONS;

    options.create = create;
    options.destroy = destroy;
    options.methods = methods;
    options.method_count = count;
    return mp_manager_register(manager, name, &options);
}

/* Prints what the call is answered with, or the sentence of its failure. */
static void show(const mp_proxy *object, const char *method, const mp_item *items, size_t count)
{
    mp_answer *answer;
    mp_item item;

    if (mp_proxy_call(object, method, items, count, &answer, MP_FOREVER) < 0) {
        puts(mp_last_error());
        return;
    }
    if (mp_answer_item(answer, 0, &item) == MP_OK && item.kind == MP_ITEM_TEXT)
        puts(item.data);
    else
        printf("%lld\n", (long long)mp_answer_int(answer, 0));
    mp_answer_free(answer);
}

int main(int argc, char **argv)
{
    const mp_object_method generator[] = {{"next", next}};
    mp_proxy *maths, *foo1, *foo2, *baz;
    mp_item numbers[] = {mp_item_int(4), mp_item_int(3)}, more[] = {mp_item_int(7), mp_item_int(8)};
    mp_manager *manager;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_manager_new(&manager, NULL) < 0 ||
        REGISTER(manager, "Maths", {"add", add}, {"mul", mul}) < 0 ||
        REGISTER(manager, "Foo1", {"f", f}, {"g", g}) < 0 ||
        REGISTER(manager, "Foo2", {"g", g}, {"_h", h}) < 0 ||
        with_methods(manager, "baz", squares, free, generator, 1) < 0 ||
        mp_manager_start(manager) < 0 ||
        mp_manager_create(manager, &maths, "Maths", NULL, 0) < 0 ||
        mp_manager_create(manager, &foo1, "Foo1", NULL, 0) < 0 ||
        mp_manager_create(manager, &foo2, "Foo2", NULL, 0) < 0 ||
        mp_manager_create(manager, &baz, "baz", NULL, 0) < 0)
        return failed();

    show(maths, "add", numbers, 2);
    show(maths, "mul", more, 2);
    puts("--------------------");
    show(foo1, "f", NULL, 0);
    show(foo1, "g", NULL, 0);
    show(foo1, "_h", NULL, 0);
    puts("--------------------");
    show(foo2, "g", NULL, 0);
    show(foo2, "_h", NULL, 0);
    show(foo2, "f", NULL, 0);
    puts("--------------------");
    for (;;) {
        mp_answer *answer;
        size_t count;

        if (mp_proxy_call(baz, "next", NULL, 0, &answer, MP_FOREVER) < 0)
            return failed();
        count = mp_answer_count(answer);
        if (count > 0)
            printf("<%lld> ", (long long)mp_answer_int(answer, 0));
        mp_answer_free(answer);
        if (count == 0)
            break;
    }
    puts("");
    if (mp_proxy_free(maths) < 0 || mp_proxy_free(foo1) < 0 || mp_proxy_free(foo2) < 0 ||
        mp_proxy_free(baz) < 0 || mp_manager_free(manager) < 0)
        return failed();
    return 0;
}
