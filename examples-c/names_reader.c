/* Reads what names_writer.c writes, and takes the names away: names_reader NAME. */
#include <mp.h>
#include <stdio.h>

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
    size_t length, i;
    int64_t item;

    if (mp_bootstrap(argc, argv) < 0)
        return failed();
    snprintf(lock_name, sizeof lock_name, "%s.lock", argc > 1 ? argv[1] : "example");
    snprintf(array_name, sizeof array_name, "%s.array", argc > 1 ? argv[1] : "example");
    lock_options.name = lock_name;
    lock_options.open = MP_OPEN_ATTACH;
    array_options.name = array_name;
    array_options.open = MP_OPEN_ATTACH;
    if (mp_lock_new(&lock, &lock_options) < 0 ||
        mp_array_new(&array, MP_INT64, 0, NULL, &array_options) < 0 ||
        mp_array_length(array, &length) < 0)
        return failed();
    MP_WITH_LOCK(lock) {
        for (i = 0; i < length; i++) {
            if (mp_array_get_int(array, i, &item) < 0)
                return failed();
            printf("%d%s", (int)item, i + 1 < length ? " " : "\n");
        }
    }
    if (mp_name_unlink(lock_name) < 0 || mp_name_unlink(array_name) < 0)
        return failed();
    return mp_array_free(array) < 0 || mp_lock_free(lock) < 0 ? failed() : 0;
}
