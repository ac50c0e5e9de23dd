/* Preloaded into a program that names no start method: spawn is its default one. Each image of it, the children
 * included, writes a line to the file that BY_SPAWN names. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void choose(void)
{
    const char *path = getenv("BY_SPAWN");
    FILE *file = path == NULL ? NULL : fopen(path, "a");

    if (mp_set_start_method(MP_START_SPAWN, false) < 0 || file == NULL ||
        fputs("image\n", file) < 0 || fclose(file) != 0)
        abort();
}
