/* Shared memory: two handles to the same bytes, and a child with a third. */
#include <mp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: the memory. It doubles the six numbers that lie there. */
static int doubles(mp_child *self, void *user)
{
    void *data;
    int i;

    (void)user;
    if (mp_shared_memory_data(mp_child_shared_memory(self, 0), &data, NULL) < 0)
        return failed();
    for (i = 0; i < 6; i++)
        ((int *)data)[i] *= 2;
    return 0;
}

static void print(const int *number)
{
    printf("[%d, %d, %d, %d, %d, %d]\n", number[0], number[1], number[2], number[3], number[4], number[5]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    mp_shared_memory_options options = MP_SHARED_MEMORY_OPTIONS;
    const int first[] = {1, 1, 2, 3, 5, 8};
    mp_shared_memory *one, *other;
    mp_process *child;
    void *here, *there;
    char name[40];

    /* A name lets anybody in, relative or not; without one the memory is passed on as an argument. */
    snprintf(name, sizeof name, "example-memory-%d", (int)getpid());
    options.name = name;
    options.open = MP_OPEN_CREATE;
    if (mp_bootstrap(argc, argv) < 0 || mp_shared_memory_new(&one, sizeof first, &options) < 0)
        return failed();
    options.open = MP_OPEN_ATTACH;
    if (mp_shared_memory_new(&other, 0, &options) < 0 || mp_name_unlink(name) < 0 ||
        mp_shared_memory_data(one, &here, NULL) < 0 || mp_shared_memory_data(other, &there, NULL) < 0)
        return failed();
    memcpy(here, first, sizeof first);
    print(there);

    if (mp_process_new(&child, doubles, NULL, NULL) < 0 ||
        mp_process_add_handle(child, one) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0 ||
        mp_process_free(child) < 0)
        return failed();
    print(there);
    if (mp_shared_memory_free(one) < 0 || mp_shared_memory_free(other) < 0)
        return failed();
    return 0;
}
