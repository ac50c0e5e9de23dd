/* A camera's frames, 1920 by 1080, go to two viewers without a copy: they lie in shared memory, and queues carry their
 * numbers. A viewer that is too slow misses the oldest ones; the camera never waits for it.
 * camera [FRAMES], at 60 a second. */
#include <mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 1920, HEIGHT = 1080, BYTES = WIDTH * HEIGHT * 3, VIEWERS = 2, WAITING = 3, PLACES = VIEWERS * (WAITING + 1) + 1 };

static int failed(void)
{
    fprintf(stderr, "%s\n", mp_last_error());
    return 1;
}

/* One reader less of a place; the last one makes it free. */
static int give_back(mp_array *readers, mp_queue *free_places, int place)
{
    int64_t before;

    if (mp_array_fetch_add(readers, (size_t)place, -1, &before) < 0 ||
        (before == 1 && mp_queue_put(free_places, &place, sizeof place, MP_FOREVER) < 0))
        return failed();
    return 0;
}

/* Arguments: the frames' memory, how many read each of its places, the free places, the frames for this viewer, its
 * number, and how long it looks at a frame. */
static int view(mp_child *self, void *user)
{
    mp_array *readers = mp_child_array(self, 1);
    mp_queue *free_places = mp_child_queue(self, 2), *frames = mp_child_queue(self, 3);
    const int *number = mp_child_bytes(self, 4, NULL), *microseconds = mp_child_bytes(self, 5, NULL);
    const unsigned char *frame;
    int place, seen = 0;
    void *memory;
    bool none;

    (void)user;
    if (mp_shared_memory_data(mp_child_shared_memory(self, 0), &memory, NULL) < 0)
        return failed();
    for (;; seen++) {
        if (mp_queue_get(frames, &place, sizeof place, NULL, &none, MP_FOREVER) < 0)
            return failed();
        if (none)
            break;
        frame = (const unsigned char *)memory + (size_t)place * BYTES;
        usleep((useconds_t)*microseconds);
        /* Nobody has written to it meanwhile: it is one frame from its first byte to its last. */
        if (memcmp(frame, frame + 1, BYTES - 1) != 0)
            return fprintf(stderr, "a torn frame\n"), 1;
        if (give_back(readers, free_places, place) != 0)
            return 1;
    }
    printf("viewer %d saw %d\n", *number, seen);
    return 0;
}

/* Puts a frame's place, for which it drops the oldest that waits. Returns how many were dropped, -1 for a failure. */
static int show(mp_queue *frames, int place, mp_array *readers, mp_queue *free_places)
{
    int oldest, dropped = 0;
    mp_status status;

    while ((status = mp_queue_put(frames, &place, sizeof place, MP_NO_WAIT)) == MP_ERR_FULL) {
        if (mp_queue_get(frames, &oldest, sizeof oldest, NULL, NULL, MP_NO_WAIT) < 0)
            continue; /* the viewer was faster */
        if (give_back(readers, free_places, oldest) != 0)
            return -1;
        dropped++;
    }
    return status < 0 ? failed(), -1 : dropped;
}

int main(int argc, char **argv)
{
    const struct timespec pause = {0, 1000000000 / 60};
    mp_queue_options few = MP_QUEUE_OPTIONS;
    const int microseconds[VIEWERS] = {0, 100000};
    mp_queue *free_places, *frames[VIEWERS];
    mp_shared_memory *memory;
    mp_process *viewer[VIEWERS];
    mp_array *readers;
    int count, i, n, place, dropped[VIEWERS] = {0};
    void *data;

    few.maxsize = WAITING;
    if (mp_bootstrap(argc, argv) < 0 ||
        mp_shared_memory_new(&memory, (size_t)PLACES * BYTES, NULL) < 0 ||
        mp_shared_memory_data(memory, &data, NULL) < 0 ||
        mp_array_new(&readers, MP_INT32, PLACES, NULL, NULL) < 0 ||
        mp_queue_new(&free_places, NULL) < 0)
        return failed();
    count = argc > 1 ? atoi(argv[1]) : 30;
    for (place = 0; place < PLACES; place++)
        if (mp_queue_put(free_places, &place, sizeof place, MP_FOREVER) < 0)
            return failed();
    for (i = 0; i < VIEWERS; i++)
        if (mp_queue_new(&frames[i], &few) < 0 ||
            mp_process_new(&viewer[i], view, NULL, NULL) < 0 ||
            mp_process_add_handle(viewer[i], memory) < 0 ||
            mp_process_add_handle(viewer[i], readers) < 0 ||
            mp_process_add_handle(viewer[i], free_places) < 0 ||
            mp_process_add_handle(viewer[i], frames[i]) < 0 ||
            mp_process_add_bytes(viewer[i], &i, sizeof i) < 0 ||
            mp_process_add_bytes(viewer[i], &microseconds[i], sizeof *microseconds) < 0 ||
            mp_process_start(viewer[i]) < 0)
            return failed();

    for (n = 0; n < count; n++) {
        /* There is one: each viewer holds one and has WAITING more before it, and PLACES is more than those. */
        if (mp_queue_get(free_places, &place, sizeof place, NULL, NULL, MP_FOREVER) < 0)
            return failed();
        memset((unsigned char *)data + (size_t)place * BYTES, n, BYTES);
        if (mp_array_set_int(readers, (size_t)place, VIEWERS) < 0)
            return failed();
        for (i = 0; i < VIEWERS; i++) {
            int more = show(frames[i], place, readers, free_places);

            if (more < 0)
                return 1;
            dropped[i] += more;
        }
        nanosleep(&pause, NULL);
    }
    for (i = 0; i < VIEWERS; i++) {
        if (mp_queue_put_none(frames[i], MP_FOREVER) < 0 || mp_process_join(viewer[i], MP_FOREVER) < 0)
            return failed();
        printf("viewer %d missed %d of %d\n", i, dropped[i], count);
        if (mp_process_free(viewer[i]) < 0 || mp_queue_free(frames[i]) < 0)
            return failed();
    }
    if (mp_queue_free(free_places) < 0 || mp_array_free(readers) < 0 || mp_shared_memory_free(memory) < 0)
        return failed();
    return 0;
}
