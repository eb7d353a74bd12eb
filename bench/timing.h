/* timing.h - what the benches share: clocks, medians, and what the machine can do at the moment. */
#ifndef SWWAE_BENCH_TIMING_H
#define SWWAE_BENCH_TIMING_H

#include "base/cpu.h"

#include <stddef.h>
#include <sys/types.h>

#define MOST_REPS 1001

/* Prints a sentence to stderr and ends the program, whose name it puts before. */
_Noreturn void die(const char *sentence);
/* Zeroed memory; dies without. */
void *take(size_t count, size_t size);

double now_ms(void);

/* After a step a side's idle threads spin for some milliseconds; the other must not start beside
 * them. Waits until that process uses the processor no more, at most a third of a second. */
void settle(pid_t pid);

/* 1 <= count <= MOST_REPS. */
double median(const double *values, int count);

/* "AMD EPYC", as the system calls its processor. */
void cpu_read(char cpu[128]);

/* Multiply-adds alone, on all threads at once for some milliseconds: what the machine gives just
 * now. Processors may be siblings of one core at times, or other programs' too, and a figure that
 * was measured then is not to be compared with others. */
struct probe;
struct probe *probe_create(int threads, enum cpu_isa isa);
void probe_free(struct probe *probe);
double probe_rate(struct probe *probe); /* FLOP/s by the clock on the wall */

/* One line on stderr: what is done, and how long the rest will take. Where stderr is a terminal the
 * line is written over by the next; elsewhere it comes once an item. */
struct progress {
    double start, done, all; /* done and all: estimates, in any unit */
};
void progress_show(const struct progress *progress, const char *item, int number, int count);
void progress_clear(void);

#endif
