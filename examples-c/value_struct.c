/* Four processes keep the statistics of what they measure in one struct, which its lock guards. */
#include <mp.h>
#include <stdio.h>

enum { CHILDREN = 4, TIMES = 1000 };

typedef struct statistics {
    char unit[4];
    int count, least, most;
    double sum;
} statistics;

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* Runs in each child. Arguments: the struct, and the child's number. */
static int measure(mp_child *self, void *user)
{
    mp_value *shared = mp_child_value(self, 0);
    const int *me = mp_child_bytes(self, 1, NULL);
    statistics *s;
    void *data;
    int i;

    (void)user;
    if (shared == NULL || me == NULL || mp_value_data(shared, &data, NULL) < 0)
        return failed();
    s = data;                   /* the shared memory itself */
    for (i = 0; i < TIMES; i++) {
        int x = i * CHILDREN + *me;

        /* Held to the end of the braces, however they are left. */
        MP_WITH_VALUE(shared) {
            s->count++;
            s->sum += x;
            if (x < s->least)
                s->least = x;
            if (x > s->most)
                s->most = x;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    statistics s = {"mm", 0, 1000000, -1000000, 0};
    mp_process *child[CHILDREN];
    mp_value *shared;
    int i;

    if (mp_bootstrap(argc, argv) < 0 || mp_value_new_struct(&shared, sizeof s, &s, NULL) < 0)
        return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_new(&child[i], measure, NULL, NULL) < 0 ||
            mp_process_add_handle(child[i], shared) < 0 ||
            mp_process_add_bytes(child[i], &i, sizeof i) < 0 ||
            mp_process_start(child[i]) < 0)
            return failed();
    for (i = 0; i < CHILDREN; i++)
        if (mp_process_join(child[i], MP_FOREVER) < 0 || mp_process_free(child[i]) < 0)
            return failed();
    if (mp_value_get(shared, &s, sizeof s) < 0 || mp_value_free(shared) < 0)
        return failed();
    printf("%d from %d to %d %s, mean %.1f\n", s.count, s.least, s.most, s.unit, s.sum / s.count);
    return 0;
}
