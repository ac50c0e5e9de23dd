/* What all programs of this directory share: the clock, rounds in turn, medians, several processes
 * that begin together, and the table.
 *
 * A table has a row for each peer. What is compared is measured in turn, round after round, so that
 * whatever else the machine does hits all alike, and each figure is the median of its rounds. The
 * ratio is libmp's figure divided by the peer's: of times it should be low, of rates high, and the
 * mark, held against the ratio as printed, says how far. A peer that is not installed is named as
 * missing. Rows without a mark are there to explain the others.
 */
#ifndef BENCH_H
#define BENCH_H

#include <mp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MOST = 50 };               /* processes that begin together */
#define BENCH_LINE 128                  /* bytes that no two processes write both of */

/* A figure that should be LOW or HIGH, with a MARK for the ratio; or one that only explains. */
enum bench_good { LOW, HIGH, NO_MARK };

/* One of the things compared; [0] is libmp. Absent: named as missing, and never measured. */
struct bench_subject {
    const char *name;
    bool absent;
};

/* First in main: mp_bootstrap, and the names of the rows that are wanted: those that contain one of the
 * program's arguments, all where there are none. */
void bench_begin(int argc, char **argv);
bool bench_wanted(const char *row);
/* Ends the program with a sentence. */
void bench_die(const char *what);
/* Nanoseconds of the monotonic clock. */
int64_t bench_now(void);
/* Works for so many nanoseconds of the thread's CPU time. */
void bench_spin(int64_t ns);
/* Tasks of pools: the square of an 8-byte number, the second one after 1 ms of work. */
void bench_square(mp_task *task, void *user);
void bench_square_1ms(mp_task *task, void *user);
/* Sorts the figures: the last is the largest. */
double bench_median(double *figures, size_t count);
/* Zeroed memory that children share. */
void *bench_shared(size_t size);

/* Measures every subject that is there once a round. figures[s * rounds + round] is what measure
 * answered; with a second figure in each round, it comes from *second. */
typedef double bench_measure(void *user, int subject, double *second);
void bench_rounds(bench_measure *measure, void *user, const struct bench_subject *subjects,
                  int count, int rounds, double *figures, double *seconds);

/* Where processes run: where the kernel puts them, the i-th on the i-th CPU, or all on one. */
enum bench_place { ANYWHERE, APART, TOGETHER };

/* The calling process, as the index-th. */
void bench_pin(enum bench_place place, int index);

/* Runs work(user, index) in so many forked processes that begin together; stops them, as bench_stopped tells them, after ns (0: they end by themselves).
 * Answers the time between begin and stop, or the end of the last. */
typedef void bench_work(void *user, int index);
int64_t bench_race(int processes, enum bench_place place, int64_t ns, bench_work *work, void *user);
bool bench_stopped(void);

/* CPython's multiprocessing, if it is there: the figure of what benches/peer.py knows by this name. */
bool bench_python_is_there(void);
double bench_python(const char *what, enum bench_place place);

/* The line above a table; the first subject is libmp, or another. */
void bench_head(void);
void bench_head_of(const char *first);
/* A row: two figures in a unit, each with a text in brackets or NULL, and the ratio's mark. */
void bench_row(const char *name, double ours, const char *our_note, const char *peer, double theirs,
               const char *their_note, const char *unit, enum bench_good good, double mark);
/* A row that is held against a number instead of a peer. */
void bench_limit(const char *name, double ours, const char *unit, double most);
void bench_missing(const char *name, const char *peer);
enum bench_note { NOTHING_MORE, WORST, SPREAD };

/* Medians of the rounds as rows, one for each peer; figures are divided by scale. marks[s] may be 0: no
 * mark. In brackets stands nothing, the largest figure of all rounds, or the smallest and the largest. */
void bench_rows(const char *name, const struct bench_subject *subjects, int count, int rounds,
                double *figures, double scale, const char *unit, enum bench_note kind, enum bench_good good,
                const double *marks);

#endif
