/* A child sets a shared number and negates a shared array in place; the parent prints both. */
#include <mp.h>
#include <stdio.h>

enum { LENGTH = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Runs in the child. Arguments: the number and the array. */
static int negate(mp_child *self, void *user)
{
    mp_value *number = mp_child_value(self, 0);
    mp_array *array = mp_child_array(self, 1);
    size_t i, length;
    void *data;
    int32_t *item;

    (void)user;
    if (number == NULL || array == NULL ||
        mp_value_set_double(number, 3.1415927) < 0 ||
        mp_array_length(array, &length) < 0 ||
        mp_array_data(array, &data, NULL) < 0)
        return failed();
    item = data;                /* the shared memory itself: nothing is copied */
    for (i = 0; i < length; i++)
        item[i] = -item[i];
    return 0;
}

static int print(const mp_array *array)
{
    int32_t item[LENGTH];
    int i;

    if (mp_array_read(array, 0, LENGTH, item, sizeof item) < 0)
        return -1;
    for (i = 0; i < LENGTH; i++)
        printf("%s%d", i == 0 ? "[" : ", ", (int)item[i]);
    printf("]\n");
    return 0;
}

int main(int argc, char **argv)
{
    const int32_t first[LENGTH] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    mp_process *child;
    mp_value *number;
    mp_array *array;
    double x;
    int code;

    if (mp_bootstrap(argc, argv) < 0 ||
        mp_value_new(&number, MP_DOUBLE, NULL, NULL) < 0 ||
        mp_array_new(&array, MP_INT32, LENGTH, first, NULL) < 0 ||
        print(array) < 0)
        return failed();

    if (mp_process_new(&child, negate, NULL, NULL) < 0 ||
        mp_process_add_handle(child, number) < 0 ||
        mp_process_add_handle(child, array) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_exitcode(child, &code) < 0 ||
        mp_process_free(child) < 0)
        return failed();
    if (code != 0)
        return 1;

    if (mp_value_get_double(number, &x) < 0)
        return failed();
    printf("%.7f\n", x);
    if (print(array) < 0 || mp_array_free(array) < 0 || mp_value_free(number) < 0)
        return failed();
    return 0;
}
