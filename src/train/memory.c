/* memory.c - the memory of a training, before it begins; see memory.h.
 *
 * Nothing is allocated while a step runs, so the sum of what is booked before is the peak: engines
 * tell theirs without being made, the rest are arrays whose sizes the options and the net give. */
#include "train/memory.h"

#include "base/cpu.h"
#include "base/parallel.h"
#include "train/model.h"
#include "train/recipe.h"
#include "train/teacher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What a process takes besides once it trains: the library's code as it is first used, stacks.
 * Measured as 0.6 to 1.3 MB (tests/test_memory.c prints it as what is found beyond). */
#define RUNNING 1000000

/* ---- Sums that stay at the largest size ---------------------------------------------------- */

static size_t plus(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

static size_t times(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* ---- What the system tells ----------------------------------------------------------------- */

/* The number after `key` in a file of lines such as "MemAvailable: 123 kB", times unit; with key ""
 * the file's first number. `otherwise` where there is none. */
static size_t number_in(const char *path, const char *key, size_t unit, size_t otherwise) {
    char line[256];
    char *end;
    size_t found = otherwise;
    FILE *file = fopen(path, "r");
    if (!file) return otherwise;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        const unsigned long long value = strtoull(line + strlen(key), &end, 10);
        if (end != line + strlen(key)) found = times((size_t)value, unit);
        break;
    }
    fclose(file);
    return found;
}

static size_t of_process(const char *key) { return number_in("/proc/self/status", key, 1024, 0); }

/* What a limit leaves; one that is below what is taken leaves nothing. */
static size_t left_of(size_t limit, size_t taken) { return limit > taken ? limit - taken : 0; }

/* Of a limit of the process on its addresses or its data. */
static size_t left_of_resource(int resource, const char *key) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return left_of((size_t)limit.rlim_cur, of_process(key));
}

/* Of a control group's limit, as containers have it; file caches give way. */
static size_t left_of_group(void) {
    const char *const folder = "/sys/fs/cgroup/";
    char path[64];
    snprintf(path, sizeof path, "%smemory.max", folder);
    const size_t most = number_in(path, "", 1, SIZE_MAX);
    if (most == SIZE_MAX) return SIZE_MAX;
    snprintf(path, sizeof path, "%smemory.current", folder);
    const size_t taken = number_in(path, "", 1, 0);
    snprintf(path, sizeof path, "%smemory.stat", folder);
    return left_of(most, left_of(taken, number_in(path, "inactive_file ", 1, 0)));
}

/* What this process can still get; SIZE_MAX where nothing tells. */
static size_t available(void) {
    const char *const machine = "/proc/meminfo";
    size_t least = number_in(machine, "MemAvailable:", 1024, SIZE_MAX);
    if (least != SIZE_MAX) least = plus(least, number_in(machine, "SwapFree:", 1024, 0));
    least = smaller(least, left_of_group());
    least = smaller(least, left_of_resource(RLIMIT_AS, "VmSize:"));
    return smaller(least, left_of_resource(RLIMIT_DATA, "VmData:"));
}

/* ---- What a training books ----------------------------------------------------------------- */

/* Both engines stay from the beginning to the end. */
static swwae_status engines(size_t *steps, size_t *forward, const struct settings *s,
                            const struct network *network, const struct objective *objective) {
    swwae_status status = SWWAE_OK;
    const char *complaint;
    struct engine_options options = {.objective = objective,
                                     .batch = s->batch,
                                     .threads = s->threads ? s->threads : parallel_processors(),
                                     .isa = (int)cpu_choose(&complaint),
                                     .dense = !cpu_sparse(),
                                     .direct = !cpu_winograd(),
                                     .precision = s->precision};
    TRY(engine_memory_needed(steps, network, &options));
    options.objective = NULL;
    options.precision = PRECISION_FP32;
    TRY(engine_memory_needed(forward, network, &options));
fail:
    return status;
}

/* Arrays as long as the parameters: the values, what the optimizer keeps. */
static size_t parameter_arrays(const struct settings *s) {
    return (size_t)1 + 1 + (s->optimizer == OPTIMIZER_ADAM) + (s->average > 0);
}

/* Images of a batch, what the teacher answers to them, and the scratch of changed images. */
static size_t batch_bytes(const struct settings *s, const struct network *n, size_t pixels) {
    const size_t plane = ((size_t)n->height + 2) * ((size_t)n->width + 2);
    const size_t answers = teacher_wanted(s) ? 2 * (size_t)n->classes : 0;
    size_t values = times((size_t)s->batch, plus(pixels, answers + 3));
    if (s->augment) values = plus(values, ENGINE_SHARES * 3 * plane);
    return times(values, sizeof(float));
}

/* Images validated at a time, what is rebuilt of them, their logits. */
static size_t validation_bytes(const struct settings *s, const struct network *n, size_t pixels,
                               size_t images, bool rebuilt) {
    const size_t wanted = s->validation == VALIDATION_AUTO ? images / 12 : (size_t)s->validation;
    const size_t values = plus(times(pixels, rebuilt ? 2 : 1), (size_t)n->classes);
    return times(times(smaller(wanted, MODEL_CHUNK), values), sizeof(float));
}

swwae_status memory_predict(struct swwae_memory *memory, const swwae_options *options,
                            const struct swwae_dataset *dataset, bool resumed) {
    swwae_status status = SWWAE_OK;
    swwae_options *settled = NULL;
    struct network network = {0};
    struct objective objective;
    struct variant variant;
    struct reporter silent = report_begin(NULL, NULL);
    struct swwae_memory m = {0};
    size_t steps = 0, forward = 0;
    TRY(options_copy(&settled, options));
    const struct settings *s = &settled->settings;
    TRY(recipe_variant(&variant, settled));
    TRY(network_build(&network, s->arch, dataset->channels, dataset->height, dataset->width,
                      &variant));
    TRY(recipe_objective(&objective, settled, &network, &silent));
    TRY(engines(&steps, &forward, s, &network, &objective));
    const size_t pixels =
        (size_t)dataset->channels * (size_t)dataset->height * (size_t)dataset->width;
    const size_t values = times(network.parameters, sizeof(float));
    const bool rebuilt = objective_decoder_on(&objective, &network) || !(objective.nll > 0);
    const size_t resident = of_process("VmRSS:");
    m.data = times(dataset->count, pixels);
    m.process = plus(left_of(resident, m.data), RUNNING);
    m.parameters = times(values, parameter_arrays(s) + 1); /* a gradient */
    m.saving = times(values, parameter_arrays(s));
    m.step = plus(steps, batch_bytes(s, &network, pixels));
    m.step = plus(m.step, times(dataset->count, 4 * sizeof(uint32_t))); /* orders of the images */
    m.validation = plus(forward, validation_bytes(s, &network, pixels, dataset->count, rebuilt));
    /* The file of a checkpoint and the model in it, before the first step. */
    if (resumed) m.loading = times(values, parameter_arrays(s) + 1);
    if (strcmp(s->init_from, INIT_RANDOM) != 0) m.loading = plus(m.loading, times(values, 2));
    size_t later = m.validation;
    if (s->validation == 0 && !resumed) later = forward;
    if (m.loading > later - forward) later = plus(forward, m.loading);
    const size_t booked = plus(plus(m.parameters, m.saving), plus(m.step, later));
    m.peak = plus(plus(m.process, m.data), booked);
    if (of_process("VmHWM:") > m.peak) m.peak = of_process("VmHWM:");
    m.available = available();
    *memory = m;
fail:
    network_clear(&network);
    swwae_options_free(settled);
    return status;
}

swwae_status memory_check(const swwae_options *options, const struct swwae_dataset *dataset,
                          bool resumed) {
    struct swwae_memory m;
    const swwae_status status = memory_predict(&m, options, dataset, resumed);
    if (status != SWWAE_OK) return status;
    const size_t wanted = left_of(m.peak, left_of(plus(m.process, m.data), RUNNING));
    if (wanted <= m.available) return SWWAE_OK;
    return status_set(SWWAE_E_MEMORY,
                      "training would take %.3g GB more memory than it has now and %.3g GB are "
                      "free; choose a smaller --batch or --arch, or fewer --threads",
                      (double)wanted / 1e9, (double)m.available / 1e9);
}

swwae_status swwae_train_memory(const swwae_options *options, swwae_memory *memory) {
    swwae_status status = SWWAE_OK;
    swwae_dataset *dataset = NULL;
    swwae_options *settled = NULL;
    CHECK(options && memory, SWWAE_E_ARGUMENT, "swwae_train_memory was given NULL");
    TRY(options_copy(&settled, options));
    TRY(recipe_open(&dataset, settled));
    TRY(recipe_fit(settled, dataset, NULL));
    TRY(memory_predict(memory, settled, dataset, false));
fail:
    swwae_options_free(settled);
    swwae_dataset_free(dataset);
    return status;
}
