/* Values and arrays of several types, which a child changes: a number with its lock, one without, text, and structs. */
#include <ctype.h>
#include <mp.h>
#include <stdio.h>

typedef struct point {
    double x, y;
} point;

enum { POINTS = 3 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Arguments: all four. */
static int modify(mp_child *self, void *user)
{
    mp_value *n = mp_child_value(self, 0), *x = mp_child_value(self, 1);
    mp_array *text = mp_child_array(self, 2), *points = mp_child_array(self, 3);
    int64_t integer;
    double number;
    void *data;
    size_t i, bytes;
    char *c;
    point *p;

    (void)user;
    MP_WITH_VALUE(n) {
        if (mp_value_get_int(n, &integer) < 0 || mp_value_set_int(n, integer * integer) < 0)
            return failed();
    }
    if (mp_value_get_double(x, &number) < 0 || mp_value_set_double(x, number * number) < 0)
        return failed();
    MP_WITH_ARRAY(text) {
        if (mp_array_data(text, &data, &bytes) < 0)
            return failed();
        for (c = data, i = 0; i < bytes; i++)
            c[i] = (char)toupper((unsigned char)c[i]);
    }
    MP_WITH_ARRAY(points) {
        if (mp_array_data(points, &data, NULL) < 0)
            return failed();
        for (p = data, i = 0; i < POINTS; i++) {
            p[i].x *= p[i].x;
            p[i].y *= p[i].y;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const point first[POINTS] = {{1.875, -6.25}, {-5.75, 2.0}, {2.375, 9.5}};
    const int seven = 7;
    const double third = 1.0 / 3.0;
    mp_value_options raw = MP_VALUE_OPTIONS;
    mp_array *text, *points;
    mp_process *child;
    mp_value *n, *x;
    int64_t integer;
    double number;
    point p[POINTS];
    char string[20];
    int i;

    raw.raw = true;
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_value_new(&n, 'i', &seven, NULL) < 0 ||
        mp_value_new(&x, MP_DOUBLE, &third, &raw) < 0 ||
        mp_array_new(&text, 'c', 11, "hello world", NULL) < 0 ||
        mp_array_new_struct(&points, sizeof(point), POINTS, first, NULL) < 0 ||
        mp_process_new(&child, modify, NULL, NULL) < 0 ||
        mp_process_add_handle(child, n) < 0 ||
        mp_process_add_handle(child, x) < 0 ||
        mp_process_add_handle(child, text) < 0 ||
        mp_process_add_handle(child, points) < 0 ||
        mp_process_start(child) < 0 ||
        mp_process_join(child, MP_FOREVER) < 0)
        return failed();
    if (mp_value_get_int(n, &integer) < 0 ||
        mp_value_get_double(x, &number) < 0 ||
        mp_array_get_string(text, string, sizeof string, NULL) < 0 ||
        mp_array_read(points, 0, POINTS, p, sizeof p) < 0)
        return failed();
    printf("%d\n%.16g\n%s\n", (int)integer, number, string);
    for (i = 0; i < POINTS; i++)
        printf("(%.10g, %.10g)\n", p[i].x, p[i].y);
    if (mp_process_free(child) < 0 || mp_value_free(n) < 0 || mp_value_free(x) < 0 ||
        mp_array_free(text) < 0 || mp_array_free(points) < 0)
        return failed();
    return 0;
}
