/* report.h - telling a caller how far a long call has come: the clock and the progress callback. */
#ifndef SWWAE_TRAIN_REPORT_H
#define SWWAE_TRAIN_REPORT_H

#include "base/status.h"

#define REPORT_SAMPLES 64

/* Seconds of a clock that only goes forward. */
double report_now(void);

/* Calls the callback at most about ten times a second, remembers that it asked to stop, and
 * estimates speed from the last few seconds of work. */
struct reporter {
    swwae_progress_fn progress; /* may be NULL */
    void *user;
    bool stop;   /* the callback returned non-zero */
    double last; /* when it was last called */
    double away; /* seconds that count as no work, such as validation */
    struct {
        double time;
        double work;
    } sample[REPORT_SAMPLES]; /* a ring */
    int samples, next;
};

struct reporter report_begin(swwae_progress_fn progress, void *user);

/* True when the callback should be called again. */
bool report_due(const struct reporter *reporter);

/* Calls the callback. */
void report_send(struct reporter *reporter, const struct swwae_progress *progress);

/* Tells that `done` of `count` images of a call that began at `start` (report_now) are done. */
void report_count(struct reporter *reporter, const char *what, size_t done, size_t count,
                  double start);

/* A sentence for the user. */
void report_message(struct reporter *reporter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Notes that `work` images are done in all, and gives images a second over the ring; 0 while it
 * is not known. */
double report_rate(struct reporter *reporter, double work);

/* All fields zero but the terms, measures and best_score, which are NaN. */
struct swwae_progress report_blank(const char *what);

#endif
