/* Preloaded into a program that names no start method: BY_METHOD names its default one. Each image of it, the children
 * included, writes a line to the file that BY_IMAGES names. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void choose(void)
{
    const char *path = getenv("BY_IMAGES"), *name = getenv("BY_METHOD");
    FILE *file = path == NULL ? NULL : fopen(path, "a");
    int method;

    if (mp_start_method_from_name(name, &method) < 0 || mp_set_start_method(method, false) < 0 ||
        file == NULL || fputs("image\n", file) < 0 || fclose(file) != 0)
        abort();
}
