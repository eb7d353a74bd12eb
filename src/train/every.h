/* every.h - how often: a number of steps or a time. */
#ifndef SWWAE_TRAIN_EVERY_H
#define SWWAE_TRAIN_EVERY_H

#include <stdbool.h>

/* After so many steps, or after so many seconds: one of them is 0. */
struct every {
    long steps;
    double seconds;
};

/* Reads "500", steps, or "30s", "2.5m", "1h". False, and *every untouched, for anything else. */
bool every_parse(struct every *every, const char *text);

#endif
