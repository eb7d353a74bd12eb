/* schedule.c - constant, step and cosine learning rates; see schedule.h. */
#include "train/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double schedule_lr(const struct settings *settings, uint64_t step, uint64_t steps, uint64_t epoch) {
    switch (settings->schedule) {
    case SCHEDULE_CONSTANT: break;
    case SCHEDULE_STEP: {
        double drops = floor((double)step / ((double)epoch * settings->lr_step_every));
        return settings->lr * pow(settings->lr_step_factor, drops);
    }
    case SCHEDULE_COSINE:
        if (step >= steps) return 0;
        return settings->lr / 2 * (1 + cos(pi * (double)step / (double)steps));
    }
    return settings->lr;
}
