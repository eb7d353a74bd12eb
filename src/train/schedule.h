/* schedule.h - the learning rate of every step. */
#ifndef SWWAE_TRAIN_SCHEDULE_H
#define SWWAE_TRAIN_SCHEDULE_H

#include "train/options.h"

/* The rate of step `step` of `steps` (0-based), of which `epoch` make an epoch (>= 1):
 *   constant  lr
 *   step      lr * factor^k after k * every epochs
 *   cosine    lr / 2 * (1 + cos(pi * step / steps)): lr at first, 0 where the next step would be,
 *             so that the last step still moves (Loshchilov and Hutter 2017, without restarts). */
double schedule_lr(const struct settings *settings, uint64_t step, uint64_t steps, uint64_t epoch);

#endif
