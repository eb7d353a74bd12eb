/* benchmark.h - how fast a model trains and runs on this machine, and where the time goes. */
#ifndef SWWAE_TRAIN_BENCHMARK_H
#define SWWAE_TRAIN_BENCHMARK_H

#include "train/options.h"
#include "train/report.h"

/* As the public swwae_bench. */
swwae_status benchmark(const swwae_options *options, int channels, int height, int width,
                       int repetitions, struct reporter *reporter, char **json);

#endif
