/* Two programs that are no relatives share a lock and an array by their names. This one writes: names_writer NAME;
 * names_reader.c reads. */
#include <mp.h>
#include <stdio.h>

enum { LENGTH = 10 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

int main(int argc, char **argv)
{
    mp_array_options array_options = MP_ARRAY_OPTIONS;
    mp_lock_options lock_options = MP_LOCK_OPTIONS;
    char lock_name[100], array_name[100];
    mp_array *array;
    mp_lock *lock;
    int i;

    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    snprintf(lock_name, sizeof lock_name, "%s.lock", argc > 1 ? argv[1] : "example");
    snprintf(array_name, sizeof array_name, "%s.array", argc > 1 ? argv[1] : "example");
    lock_options.name = lock_name;
    array_options.name = array_name;
    if (mp_lock_new(&lock, &lock_options) < 0 ||
        mp_array_new(&array, MP_INT64, LENGTH, NULL, &array_options) < 0)
        return failed();
    MP_WITH_LOCK(lock) {
        for (i = 0; i < LENGTH; i++)
            if (mp_array_fetch_add(array, (size_t)i, i, NULL) < 0)
                return failed();
    }
    return mp_array_free(array) < 0 || mp_lock_free(lock) < 0 ? failed() : 0;
}
