/* Renders the Mandelbrot set to a PNG file: workers compute rows, which come in any order.
 *
 *     mandelbrot WIDTH HEIGHT FILE [WORKERS]
 *
 * With a terminal on stderr it shows how far it is. A row whose worker is killed is tried again. */
#include <mp.h>
#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH = 400 };

/* One row; the image's size comes along, so that a worker needs to know nothing else. */
typedef struct row {
    uint32_t width, height, y;
} row;

static unsigned steps(double cx, double cy)
{
    double x = 0, y = 0;
    unsigned n;

    for (n = 0; n < DEPTH && x * x + y * y <= 4; n++) {
        double t = x * x - y * y + cx;

        y = 2 * x * y + cy;
        x = t;
    }
    return n;
}

/* Runs in a worker process. Three bytes a pixel. */
static void render(mp_task *task, void *user)
{
    const row *r = mp_task_input(task, NULL);
    unsigned char *pixels = malloc((size_t)r->width * 3);
    uint32_t x;

    (void)user;
    if (pixels == NULL) {
        mp_task_fail(task, "no memory for a row");
        return;
    }
    for (x = 0; x < r->width; x++) {
        unsigned n = steps(-2.2 + 3.2 * x / r->width, -1.2 + 2.4 * r->y / r->height);
        unsigned char *p = pixels + (size_t)x * 3;

        p[0] = (unsigned char)(n == DEPTH ? 0 : n * 5);
        p[1] = (unsigned char)(n == DEPTH ? 0 : n * 3);
        p[2] = (unsigned char)(n == DEPTH ? 0 : 80 + n * 2);
    }
    mp_task_return(task, pixels, (size_t)r->width * 3);
    free(pixels);
}

/* Gives the rows from above to below. */
static int next_row(mp_bytes *item, void *user)
{
    row *r = user;

    if (r->y + 1 == r->height)
        return 0;
    r->y++;
    item->data = r;
    item->len = sizeof *r;
    return 1;
}

static void show(size_t done, size_t all)
{
    static const char bar[] = "########################################";
    int length = (int)(done * (sizeof bar - 1) / all);

    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r[%-*.*s] %zu of %zu rows%s", (int)sizeof bar - 1, length, bar, done, all,
                done == all ? "\n" : "");
}

/* All rows in `image`; 0 if one could not be had. */
static int compute(mp_pool *pool, unsigned char *image, uint32_t width, uint32_t height)
{
    mp_imap_options options = MP_IMAP_OPTIONS;
    row rows = {width, height, UINT32_MAX};
    mp_buffer *result;
    mp_imap *imap;
    size_t done, y;

    options.unordered = true;
    options.retries = 3;
    if (mp_pool_imap(pool, render, NULL, next_row, &rows, &options, &imap) < 0)
        return 0;
    for (done = 0; done < height; done++) {
        if (mp_imap_next(imap, MP_FOREVER, &result, &y) < 0)
            return 0;
        memcpy(image + y * width * 3, mp_buffer_data(result, NULL), (size_t)width * 3);
        mp_buffer_free(result);
        show(done + 1, height);
    }
    return mp_imap_free(imap) == MP_OK;
}

static int save(const char *path, const unsigned char *image, uint32_t width, uint32_t height)
{
    png_image png;

    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    png.width = width;
    png.height = height;
    png.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&png, path, 0, image, 0, NULL))
        return 1;
    fprintf(stderr, "%s: %s\n", path, png.message);
    return 0;
}

int main(int argc, char **argv)
{
    mp_pool_options options = MP_POOL_OPTIONS;
    unsigned long width, height;
    unsigned char *image;
    mp_pool *pool;

    if (mp_bootstrap(argc, argv) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    width = argc >= 4 ? strtoul(argv[1], NULL, 10) : 0;
    height = argc >= 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (width < 1 || width > 20000 || height < 1 || height > 20000)
        return fprintf(stderr, "usage: mandelbrot WIDTH HEIGHT FILE [WORKERS]\n"), 2;
    options.workers = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    image = malloc(width * height * 3);
    if (image == NULL)
        return fprintf(stderr, "no memory for the image\n"), 1;
    if (mp_pool_new(&pool, &options) < 0 || !compute(pool, image, (uint32_t)width, (uint32_t)height) ||
        mp_pool_free(pool) < 0)
        return fprintf(stderr, "%s\n", mp_last_error()), 1;
    if (!save(argv[3], image, (uint32_t)width, (uint32_t)height))
        return 1;
    free(image);
    return 0;
}
