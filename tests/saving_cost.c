/* saving_cost.c [SECONDS [EVERY [PERCENT]]] - what saving costs a training: the time that its
 * thread spends in the saver (copies, waiting for an earlier save) and the processor time of the
 * thread that writes. Fails when both together are more than PERCENT of the time between the first
 * save and the last, which are waited for: 1, and a little more where --checkpoint-every EVERY
 * asks for more saves than the saver grants. The best of three trainings counts: on a busy machine
 * the thread that writes may have to wait for others. Where all three cost more and the training's
 * thread had to wait for a processor in each, nothing is known of saving: exit status 77, skipped.
 *
 * The functions of the saver are wrapped by the linker (-Wl,--wrap). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "swwae.h"
#include "temporary.h"
#include "train/saver.h"

#define SKIPPED 77
#define BUSY 0.05 /* of the time, that the training's thread waited for a processor */

static double waited, wrote; /* seconds: of the clock, of the processor */
static bool between;         /* the first save and the last */
static size_t saves;

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void waited_since(double start) {
    if (between) waited += seconds(CLOCK_MONOTONIC) - start;
}

/* Seconds that this thread could have run and did not, for others; 0: the system does not tell. */
static double queued(void) {
    double ran = 0, nanoseconds = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "r");
    const bool told = file && fscanf(file, "%lf %lf", &ran, &nanoseconds) == 2;
    if (file) fclose(file);
    return told ? 1e-9 * nanoseconds : 0;
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
    waited_since(start);
    saves++;
    return status;
}

swwae_status __wrap_saver_wait(struct saver *saver);
swwae_status __wrap_saver_wait(struct saver *saver) {
    const double start = seconds(CLOCK_MONOTONIC);
    const swwae_status status = __real_saver_wait(saver);
    waited_since(start);
    return status;
}

enum saver_advice __wrap_saver_advise(struct saver *saver, swwae_status *status);
enum saver_advice __wrap_saver_advise(struct saver *saver, swwae_status *status) {
    const double start = seconds(CLOCK_MONOTONIC);
    const enum saver_advice advice = __real_saver_advise(saver, status);
    waited_since(start);
    return advice;
}

void __wrap_saver_free(struct saver *saver);
void __wrap_saver_free(struct saver *saver) {
    clockid_t clock;
    if (has_writer && pthread_getcpuclockid(writer, &clock) == 0) wrote += seconds(clock);
    has_writer = false;
    __real_saver_free(saver);
}

/* ---- The training --------------------------------------------------------------------------- */

static double begun, ended, wanted;

static int until(const swwae_progress *progress, void *user) {
    (void)user;
    const double now = seconds(CLOCK_MONOTONIC);
    if (!begun && strcmp(progress->what, "train") == 0) {
        begun = now;
        between = true;
    }
    ended = now;
    if (begun && now - begun > wanted) between = false;
    return begun && !between;
}

/* What saving took of a training's time, in percent; -1: it failed. */
static double measure(const char *every, bool *busy) {
    const char *set[][2] = {{"data", "shapes"},
                            {"arch", "(16)5c-2p-(32)3c-2p-10fc"},
                            {"recipe", "none"},
                            {"labels", "100"},
                            {"epochs", "1000000"},
                            {"checkpoint-every", every},
                            {"out", temporary_path("run")}};
    swwae_options *options = NULL;
    swwae_status status = swwae_options_create(&options);
    for (size_t i = 0; status == SWWAE_OK && i < sizeof set / sizeof *set; i++)
        status = swwae_options_set(options, set[i][0], set[i][1]);
    saves = 0;
    begun = ended = waited = wrote = 0;
    between = false;
    const double before = queued();
    if (status == SWWAE_OK) status = swwae_train(options, until, NULL);
    swwae_options_free(options);
    temporary_remove_tree(temporary_path("run"));
    if (status != SWWAE_E_INTERRUPTED) {
        fprintf(stderr, "%s\n", swwae_last_error());
        return -1;
    }
    const double took = ended - begun, queue = (queued() - before) / took;
    *busy = queue > BUSY;
    printf("%.1f s of training, --checkpoint-every %s, %zu saves: %.2f %% of the time waiting, "
           "%.2f %% writing on another thread (%.1f %% in the queue for a processor)\n",
           took, every, saves, 100 * waited / took, 100 * wrote / took, 100 * queue);
    return saves >= 3 && wrote > 0 ? 100 * (waited + wrote) / took : -1;
}

int main(int count, char **argument) {
    wanted = count > 1 ? atof(argument[1]) : 10;
    const char *const every = count > 2 ? argument[2] : "1s";
    const double most = count > 3 ? atof(argument[3]) : 1;
    int status = SKIPPED;
    if (temporary_make(NULL)) return 2;
    for (int i = 0; i < 3 && status != 0; i++) {
        bool busy;
        const double cost = measure(every, &busy);
        if (cost >= 0 && cost <= most)
            status = 0;
        else if (cost < 0 || !busy)
            status = 1;
        if (cost < 0) break;
    }
    temporary_remove(NULL);
    return status;
}
