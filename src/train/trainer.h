/* trainer.h - training runs: from options to a run folder, and going on with one. */
#ifndef SWWAE_TRAIN_TRAINER_H
#define SWWAE_TRAIN_TRAINER_H

#include "train/options.h"

/* As the public swwae_train and swwae_resume. A new run's first message to the callback is
 * "run folder: PATH", for callers that left --out to the library. */
swwae_status trainer_train(const swwae_options *options, swwae_progress_fn progress, void *user);
swwae_status trainer_resume(const char *run, const swwae_options *more, swwae_progress_fn progress,
                            void *user);

#endif
