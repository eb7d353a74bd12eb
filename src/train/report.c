/* report.c - progress of long calls; see report.h. */
#include "train/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define INTERVAL 0.1 /* seconds between calls: fluent to the eye, nothing to the processor */
#define WINDOW 5.0   /* seconds that the speed is measured over */

double report_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct reporter report_begin(swwae_progress_fn progress, void *user) {
    return (struct reporter){.progress = progress, .user = user, .last = -INTERVAL};
}

bool report_due(const struct reporter *reporter) {
    return reporter->progress && report_now() - reporter->last >= INTERVAL;
}

void report_send(struct reporter *reporter, const struct swwae_progress *progress) {
    if (!reporter->progress) return;
    if (reporter->progress(progress, reporter->user)) reporter->stop = true;
    reporter->last = report_now();
}

struct swwae_progress report_blank(const char *what) {
    return (struct swwae_progress){.what = what,
                                   .loss = NAN,
                                   .nll = NAN,
                                   .rec = NAN,
                                   .m = NAN,
                                   .validation_error = NAN,
                                   .validation_rec = NAN,
                                   .best_score = NAN,
                                   .confident = NAN};
}

void report_count(struct reporter *reporter, const char *what, size_t done, size_t count,
                  double start) {
    struct swwae_progress progress = report_blank(what);
    double seconds = report_now() - start;
    progress.step = done;
    progress.steps = count;
    if (seconds > 0) progress.images_per_second = (double)done / seconds;
    if (done) progress.seconds_left = seconds / (double)done * (double)(count - done);
    report_send(reporter, &progress);
}

void report_message(struct reporter *reporter, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct swwae_progress progress = report_blank("message");
    progress.message = text;
    report_send(reporter, &progress);
    reporter->last = -INTERVAL; /* a message does not hold back a report */
}

double report_rate(struct reporter *reporter, double work) {
    double now = report_now() - reporter->away;
    int oldest = reporter->samples < REPORT_SAMPLES ? 0 : reporter->next;
    /* samples are at least INTERVAL apart, so the ring spans WINDOW: skip what is older */
    while (reporter->samples > 1 && now - reporter->sample[oldest].time > WINDOW) {
        int second = (oldest + 1) % REPORT_SAMPLES;
        if (second == reporter->next) break;
        oldest = second;
    }
    double span = reporter->samples ? now - reporter->sample[oldest].time : 0;
    double rate = span > 0 ? (work - reporter->sample[oldest].work) / span : 0;
    reporter->sample[reporter->next].time = now;
    reporter->sample[reporter->next].work = work;
    reporter->next = (reporter->next + 1) % REPORT_SAMPLES;
    if (reporter->samples < REPORT_SAMPLES) reporter->samples++;
    return rate;
}
