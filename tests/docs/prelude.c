/* What the guide's fragments take for granted. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>

struct point {
    double x, y;
};

extern mp_array *array;
extern mp_event *event;
extern mp_pool *pool;
extern mp_process *child;
extern mp_queue *queue;
extern mp_value *value;
extern char buffer[100];
extern int descriptor;
extern size_t len;
extern bool none;
int failed(void);
void repair(mp_value *value);
void start_threads(void);
void use(const char *bytes, size_t count);
void watch(int fd);
void work(void);
