/* saving_cost.c [SECONDS [EVERY]] - what saving costs a training: the time that its thread spends
 * in the saver (copies, waiting for an earlier save) and the processor time of the thread that
 * writes. Both together are at most a hundredth, whatever --checkpoint-every EVERY says in time.
 *
 * The functions of the saver and of writing are wrapped by the linker (-Wl,--wrap). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "swwae.h"
#include "temporary.h"
#include "train/saver.h"

static double waited, wrote; /* seconds: of the clock, of the processor */
static size_t saves;

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- The saver, watched --------------------------------------------------------------------- */

static bool creating;
static pthread_t writer;
static bool has_writer;

swwae_status __real_saver_create(struct saver **saver, const struct saver_source *source);
swwae_status __real_saver_save(struct saver *saver, bool model);
swwae_status __real_saver_wait(struct saver *saver);
enum saver_advice __real_saver_advise(struct saver *saver, swwae_status *status);
void __real_saver_free(struct saver *saver);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context) {
    const int failed = __real_pthread_create(thread, attributes, run, context);
    if (creating && !failed) {
        writer = *thread;
        has_writer = true;
    }
    return failed;
}

swwae_status __wrap_saver_create(struct saver **saver, const struct saver_source *source);
swwae_status __wrap_saver_create(struct saver **saver, const struct saver_source *source) {
    creating = true;
    const swwae_status status = __real_saver_create(saver, source);
    creating = false;
    return status;
}

swwae_status __wrap_saver_save(struct saver *saver, bool model);
swwae_status __wrap_saver_save(struct saver *saver, bool model) {
    const double start = seconds(CLOCK_MONOTONIC);
    const swwae_status status = __real_saver_save(saver, model);
    waited += seconds(CLOCK_MONOTONIC) - start;
    saves++;
    return status;
}

swwae_status __wrap_saver_wait(struct saver *saver);
swwae_status __wrap_saver_wait(struct saver *saver) {
    const double start = seconds(CLOCK_MONOTONIC);
    const swwae_status status = __real_saver_wait(saver);
    waited += seconds(CLOCK_MONOTONIC) - start;
    return status;
}

enum saver_advice __wrap_saver_advise(struct saver *saver, swwae_status *status);
enum saver_advice __wrap_saver_advise(struct saver *saver, swwae_status *status) {
    const double start = seconds(CLOCK_MONOTONIC);
    const enum saver_advice advice = __real_saver_advise(saver, status);
    waited += seconds(CLOCK_MONOTONIC) - start;
    return advice;
}

void __wrap_saver_free(struct saver *saver);
void __wrap_saver_free(struct saver *saver) {
    clockid_t clock;
    if (has_writer && pthread_getcpuclockid(writer, &clock) == 0) wrote += seconds(clock);
    has_writer = false;
    const double start = seconds(CLOCK_MONOTONIC);
    __real_saver_free(saver);
    waited += seconds(CLOCK_MONOTONIC) - start;
}

/* ---- The training --------------------------------------------------------------------------- */

static double begun, wanted;

static int until(const swwae_progress *progress, void *user) {
    (void)progress;
    (void)user;
    return seconds(CLOCK_MONOTONIC) - begun > wanted;
}

int main(int count, char **argument) {
    wanted = count > 1 ? atof(argument[1]) : 10;
    const char *const every = count > 2 ? argument[2] : "1s";
    const double most = count > 3 ? atof(argument[3]) : 1;
    const char *set[][2] = {{"data", "shapes"},          {"arch", "(16)5c-2p-(32)3c-2p-10fc"},
                            {"labels", "100"},           {"epochs", "1000000"},
                            {"checkpoint-every", every}, {"out", NULL}};
    swwae_options *options = NULL;
    if (temporary_make(NULL) || swwae_options_create(&options) != SWWAE_OK) return 2;
    set[5][1] = temporary_path("run");
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        if (swwae_options_set(options, set[i][0], set[i][1]) != SWWAE_OK) {
            fprintf(stderr, "%s\n", swwae_last_error());
            return 2;
        }
    begun = seconds(CLOCK_MONOTONIC);
    const swwae_status status = swwae_train(options, until, NULL);
    const double took = seconds(CLOCK_MONOTONIC) - begun;
    const bool ended = status == SWWAE_E_INTERRUPTED;
    if (!ended) fprintf(stderr, "%s\n", swwae_last_error());
    swwae_options_free(options);
    temporary_remove(NULL);
    const double cost = 100 * (waited + wrote) / took;
    printf("%.1f s of training, --checkpoint-every %s, %zu saves: %.2f %% of the time waiting for "
           "them, "
           "%.2f %% of it writing them on another thread\n",
           took, every, saves, 100 * waited / took, 100 * wrote / took);
    return ended && saves >= 3 && wrote > 0 && cost <= most ? 0 : 1;
}
