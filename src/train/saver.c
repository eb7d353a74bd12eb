/* saver.c - saving beside training; see saver.h. */
#include "train/saver.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "io/file.h"
#include "train/model_file.h"
#include "train/report.h"

#define SHARE 100 /* the time since the last save is at least so many times what it took */

/* A copy of what is to be written. */
struct copy {
    struct swwae_model model;   /* parameters are the copy's own; the rest is the run's */
    struct optimizer optimizer; /* the same with m, v and average */
    struct teacher teacher;     /* the same with shares */
    struct progress_state state;
    char *rows;
    size_t rows_size;
    bool checkpoint, save_model;
};

struct saver {
    struct saver_source source;
    struct copy copy;
    size_t rows_written; /* bytes of the table on disk */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows; the copy belongs to the thread while busy */
    pthread_cond_t changed;
    bool threaded, busy, quit, keep;
    swwae_status status;
    char message[1024];
    double last_cost, last_time;
    uint64_t last_step;
};

/* ---- Writing ---------------------------------------------------------------------------- */

static swwae_status write_files(struct saver *saver) {
    swwae_status status = SWWAE_OK;
    const struct folder *folder = saver->source.folder;
    struct copy *copy = &saver->copy;
    if (copy->checkpoint)
        TRY(checkpoint_check(&copy->model, &copy->optimizer, &copy->state, folder->checkpoint));
    if (copy->rows_size != saver->rows_written)
        TRY(file_write(folder->metrics, copy->rows, copy->rows_size));
    saver->rows_written = copy->rows_size;
    if (copy->checkpoint) {
        TRY(checkpoint_write(folder->checkpoint, saver->keep ? folder->previous : NULL,
                             &copy->model, &copy->optimizer, &copy->teacher, &copy->state));
        saver->keep = true;
    }
    if (copy->save_model) {
        optimizer_swap_average(&copy->optimizer, &copy->model.parameters);
        status = model_write(&copy->model, folder->model, NULL);
        optimizer_swap_average(&copy->optimizer, &copy->model.parameters);
    }
fail:
    return status;
}

/* Writes the copy and notes how that went. */
static void work(struct saver *saver) {
    double start = parallel_clock();
    swwae_status status = write_files(saver);
    double cost = parallel_clock() - start;
    pthread_mutex_lock(&saver->mutex);
    if (status != SWWAE_OK && saver->status == SWWAE_OK) {
        saver->status = status;
        snprintf(saver->message, sizeof saver->message, "%s", swwae_last_error());
    }
    saver->last_cost += cost;
    saver->busy = false;
    pthread_cond_broadcast(&saver->changed);
    pthread_mutex_unlock(&saver->mutex);
}

static void *run_thread(void *context) {
    struct saver *saver = context;
    pthread_mutex_lock(&saver->mutex);
    for (;;) {
        while (!saver->busy && !saver->quit) pthread_cond_wait(&saver->changed, &saver->mutex);
        if (!saver->busy) break;
        pthread_mutex_unlock(&saver->mutex);
        work(saver);
        pthread_mutex_lock(&saver->mutex);
    }
    pthread_mutex_unlock(&saver->mutex);
    return NULL;
}

/* ---- Making ----------------------------------------------------------------------------- */

/* Signals are for the threads of the program, not for this one. */
static bool start_thread(struct saver *saver) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = !pthread_create(&saver->thread, NULL, run_thread, saver);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Room for a copy of values, which may be NULL. False: no memory. */
static bool like(float **copy, const float *values, size_t size) {
    *copy = values ? malloc((size + 1) * sizeof **copy) : NULL;
    return !*copy == !values;
}

static swwae_status book(struct copy *copy, const struct saver_source *source) {
    swwae_status status = SWWAE_OK;
    copy->model = *source->model;
    copy->optimizer = *source->optimizer;
    const size_t size = source->optimizer->size;
    copy->teacher = *source->teacher;
    /* all of them, so that what there is can be freed */
    bool good = like(&copy->model.parameters, source->model->parameters, size);
    good = like(&copy->optimizer.m, source->optimizer->m, size) && good;
    good = like(&copy->optimizer.v, source->optimizer->v, size) && good;
    good = like(&copy->optimizer.average, source->optimizer->average, size) && good;
    good = like(&copy->teacher.shares, source->teacher->shares, (size_t)source->teacher->classes) &&
           good;
    CHECK(good, SWWAE_E_MEMORY, "no memory for a copy of %zu parameters to save", size);
fail:
    return status;
}

static void release(struct copy *copy) {
    free(copy->model.parameters);
    free(copy->optimizer.m);
    free(copy->optimizer.v);
    free(copy->optimizer.average);
    free(copy->teacher.shares);
    free(copy->rows);
}

swwae_status saver_create(struct saver **saver, const struct saver_source *source) {
    struct saver *made = calloc(1, sizeof *made);
    if (!made) return status_set(SWWAE_E_MEMORY, "no memory to save the run");
    swwae_status status = book(&made->copy, source);
    if (status != SWWAE_OK) {
        release(&made->copy);
        free(made);
        return status;
    }
    made->source = *source;
    made->keep = !source->newest_damaged;
    made->last_step = source->state->step;
    made->last_time = report_now();
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    made->threaded = start_thread(made);
    *saver = made;
    return SWWAE_OK;
}

/* ---- Saving ----------------------------------------------------------------------------- */

/* With the mutex: waits for the thread. */
static void settle(struct saver *saver) {
    while (saver->busy) pthread_cond_wait(&saver->changed, &saver->mutex);
}

static swwae_status tell(const struct saver *saver) {
    if (saver->status == SWWAE_OK) return SWWAE_OK;
    return status_set(saver->status, "%s", saver->message);
}

/* False: no memory. */
static bool copy_rows(struct copy *copy, const struct metrics *metrics) {
    if (copy->rows_size == metrics->size) return true; /* rows are only added */
    char *rows = realloc(copy->rows, metrics->size + 1);
    if (!rows) return false;
    memcpy(rows, metrics->text, metrics->size);
    copy->rows = rows;
    copy->rows_size = metrics->size;
    return true;
}

static swwae_status copy_state(struct copy *copy, const struct saver_source *source) {
    swwae_status status = SWWAE_OK;
    const size_t bytes = source->optimizer->size * sizeof(float);
    CHECK(copy_rows(copy, source->metrics), SWWAE_E_MEMORY, "%.400s: no memory for its rows",
          source->metrics->path);
    memcpy(copy->model.parameters, source->model->parameters, bytes);
    memcpy(copy->optimizer.m, source->optimizer->m, bytes);
    if (copy->optimizer.v) memcpy(copy->optimizer.v, source->optimizer->v, bytes);
    if (copy->optimizer.average) memcpy(copy->optimizer.average, source->optimizer->average, bytes);
    if (copy->teacher.shares)
        memcpy(copy->teacher.shares, source->teacher->shares,
               (size_t)copy->teacher.classes * sizeof(float));
    copy->state = *source->state;
    copy->model.step = copy->optimizer.step = copy->state.step;
fail:
    return status;
}

/* With the mutex, and nothing under way. */
static void begin(struct saver *saver) {
    saver->busy = true;
    if (saver->threaded) {
        pthread_cond_broadcast(&saver->changed);
        return;
    }
    pthread_mutex_unlock(&saver->mutex);
    work(saver);
    pthread_mutex_lock(&saver->mutex);
}

/* With nothing under way: whether the last save was of the present state. */
static bool saved(const struct saver *saver) {
    const struct progress_state *last = &saver->copy.state, *now = saver->source.state;
    return saver->copy.checkpoint && last->step == now->step && last->row_step == now->row_step;
}

swwae_status saver_save(struct saver *saver, bool model) {
    swwae_status status = SWWAE_OK;
    double start = report_now();
    pthread_mutex_lock(&saver->mutex);
    settle(saver);
    TRY(tell(saver));
    /* twice the same would push out the one before */
    if (!model && saved(saver)) goto fail;
    TRY(copy_state(&saver->copy, &saver->source));
    saver->copy.checkpoint = true;
    saver->copy.save_model = model;
    saver->last_time = report_now();
    saver->last_step = saver->copy.state.step;
    saver->last_cost = saver->last_time - start;
    begin(saver);
fail:
    pthread_mutex_unlock(&saver->mutex);
    return status;
}

swwae_status saver_wait(struct saver *saver) {
    pthread_mutex_lock(&saver->mutex);
    settle(saver);
    swwae_status status = tell(saver);
    pthread_mutex_unlock(&saver->mutex);
    return status;
}

enum saver_advice saver_advise(struct saver *saver, swwae_status *status) {
    const struct every *every = &saver->source.every;
    pthread_mutex_lock(&saver->mutex);
    const double since = report_now() - saver->last_time;
    enum saver_advice advice = SAVER_REST;
    if (every->steps && saver->source.state->step - saver->last_step >= (uint64_t)every->steps)
        advice = SAVER_MUST;
    else if (!saver->busy && since >= SHARE * saver->last_cost)
        advice = !every->steps && since >= every->seconds ? SAVER_MUST : SAVER_MAY;
    *status = tell(saver);
    pthread_mutex_unlock(&saver->mutex);
    return advice;
}

void saver_free(struct saver *saver) {
    if (!saver) return;
    pthread_mutex_lock(&saver->mutex);
    settle(saver);
    if (saver->source.metrics->size != saver->rows_written &&
        copy_rows(&saver->copy, saver->source.metrics)) {
        saver->copy.checkpoint = saver->copy.save_model = false;
        begin(saver);
    }
    saver->quit = true;
    pthread_cond_broadcast(&saver->changed);
    pthread_mutex_unlock(&saver->mutex);
    if (saver->threaded) pthread_join(saver->thread, NULL);
    pthread_mutex_destroy(&saver->mutex);
    pthread_cond_destroy(&saver->changed);
    release(&saver->copy);
    free(saver);
}
