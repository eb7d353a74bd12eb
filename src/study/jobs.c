/* jobs.c - trainings side by side; see jobs.h.
 *
 * Threads take the jobs; the caller's own thread waits, tells the user and asks whether to stop, so
 * that the callback is never called from elsewhere. */
#include "study/jobs.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "study/finished.h"
#include "train/options.h"

#define TICK 0.1       /* seconds between looks at what the threads do */
#define WORK_UNITS 1e4 /* of the whole study, in reports */

struct crew {
    struct study *study; /* the threads read only what does not change */
    const swwae_dataset *test;
    int threads; /* of each training */
    swwae_status (*ended)(struct jobs *jobs, const struct job *job, void *user);
    void *user;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under the mutex */
    struct jobs *jobs;
    bool stop;           /* also when all is done */
    swwae_status status; /* the first failure that ends all, with its sentence */
    char error[1024];
};

/* What a training's callback needs to find. */
struct seat {
    struct crew *crew;
    struct job *job;
};

/* ---- On the threads --------------------------------------------------------------------- */

static int watch(const swwae_progress *event, void *user) {
    const struct seat *seat = user;
    struct crew *crew = seat->crew;
    const bool training = event->epochs > 0 && event->steps > 0;
    pthread_mutex_lock(&crew->mutex);
    if (training) {
        seat->job->share = (double)event->step / (double)event->steps;
        if (!seat->job->seen) seat->job->earlier = seat->job->share;
        seat->job->seen = true;
        seat->job->images_per_second = event->images_per_second;
    }
    const bool stop = crew->stop;
    pthread_mutex_unlock(&crew->mutex);
    return stop;
}

/* The first job that can be run now; NULL: none. */
static struct job *next_job(struct crew *crew) {
    for (int i = 0; i < crew->jobs->count; i++) {
        struct job *job = crew->jobs->list[i];
        if (job->state != JOB_WAITING) continue;
        const struct job *before = job->after >= 0 ? crew->jobs->list[job->after] : NULL;
        if (before && before->state == JOB_FAILED) {
            job->state = JOB_FAILED;
            snprintf(job->error, sizeof job->error, "%s failed", before->name);
        } else if (!before || before->state == JOB_DONE) {
            return job;
        }
    }
    return NULL;
}

/* Trains; the mutex is held before and after. */
static void do_job(struct crew *crew, struct job *job) {
    struct seat seat = {.crew = crew, .job = job};
    job->state = JOB_RUNNING;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->mutex);
    swwae_status status = training_run(&job->result, crew->study, job->name, job->options,
                                       crew->threads, crew->test, watch, &seat);
    pthread_mutex_lock(&crew->mutex);
    job->images_per_second = 0;
    if (status == SWWAE_OK) {
        job->state = JOB_DONE;
    } else if (status == SWWAE_E_NUMERIC) {
        job->state = JOB_FAILED;
        snprintf(job->error, sizeof job->error, "%.255s", swwae_last_error());
    } else {
        job->state = JOB_WAITING;
        crew->stop = true;
        if (status != SWWAE_E_INTERRUPTED && crew->status == SWWAE_OK) {
            crew->status = status;
            snprintf(crew->error, sizeof crew->error, "training %s: %.800s", job->name,
                     swwae_last_error());
        }
    }
    pthread_cond_broadcast(&crew->changed);
}

static void *work(void *context) {
    struct crew *crew = context;
    pthread_mutex_lock(&crew->mutex);
    while (!crew->stop) {
        struct job *job = next_job(crew);
        if (job)
            do_job(crew, job);
        else
            pthread_cond_wait(&crew->changed, &crew->mutex);
    }
    pthread_mutex_unlock(&crew->mutex);
    return NULL;
}

/* ---- On the caller's -------------------------------------------------------------------- */

/* Units done of the trainings under way. */
static double under_way(const struct crew *crew, double *images_per_second) {
    double done = 0;
    *images_per_second = 0;
    for (int i = 0; i < crew->jobs->count; i++) {
        const struct job *job = crew->jobs->list[i];
        if (job->state != JOB_RUNNING) continue;
        done += job->cost * job->share;
        *images_per_second += job->images_per_second;
    }
    return done;
}

/* Units of the trainings so far that an earlier call had done. */
static double earlier(const struct crew *crew) {
    double done = 0;
    for (int i = 0; i < crew->jobs->count; i++)
        done += crew->jobs->list[i]->cost * crew->jobs->list[i]->earlier;
    return done;
}

/* Seconds that the whole study still takes; NaN while there is nothing to tell it from. */
static double seconds_left(const struct crew *crew, double worked) {
    const struct study *study = crew->study;
    const double seconds = report_now() - study->work_began, now = worked - earlier(crew);
    return now > 0 && study->work > worked ? seconds / now * (study->work - worked) : NAN;
}

static void left_text(char *text, size_t size, const struct crew *crew, double worked) {
    const double seconds = seconds_left(crew, worked);
    const long all = isfinite(seconds) ? lround(seconds) : 0;
    *text = 0;
    if (all)
        snprintf(text, size, "; about %ld:%02ld:%02ld left in all", all / 3600, all / 60 % 60,
                 all % 60);
}

/* Ends all for the last error. */
static void give_up(struct crew *crew, swwae_status status) {
    crew->stop = true;
    if (crew->status != SWWAE_OK) return;
    crew->status = status;
    snprintf(crew->error, sizeof crew->error, "%s", swwae_last_error());
}

/* A study with a table keeps it in its file. */
static swwae_status keep_result(struct study *study, const struct job *job) {
    swwae_status status = SWWAE_OK;
    if (!study->done || job->state != JOB_DONE) return SWWAE_OK;
    TRY(finished_note(study->done, job->name, &job->result));
    TRY(finished_save(study->done, study));
fail:
    return status;
}

static void tell_end(struct crew *crew, const struct job *job) {
    struct study *study = crew->study;
    char left[64];
    double speed;
    left_text(left, sizeof left, crew, study->worked + under_way(crew, &speed));
    if (job->state == JOB_FAILED)
        report_message(study->reporter, "%s failed: %s", job->name, job->error);
    else if (isfinite(job->result.error))
        report_message(study->reporter, "%s: test error %.2f %%, %.0f seconds%s", job->name,
                       job->result.error, job->result.seconds, left);
    else
        report_message(study->reporter, "%s: %.0f seconds%s", job->name, job->result.seconds, left);
}

/* Tells of jobs that began or ended since the last look. */
static void tell_jobs(struct crew *crew) {
    struct study *study = crew->study;
    for (int i = 0; i < crew->jobs->count; i++) {
        struct job *job = crew->jobs->list[i];
        if (job->state != JOB_WAITING && !job->told_begin) {
            job->told_begin = true;
            report_message(study->reporter, "training %d of %d: %s", ++study->training,
                           study->trainings, job->name);
        }
        if (job->state < JOB_DONE || job->told_end) continue;
        job->told_end = true;
        study->worked += job->cost;
        tell_end(crew, job);
        swwae_status status = keep_result(study, job);
        if (status == SWWAE_OK) status = crew->ended(crew->jobs, job, crew->user);
        if (status != SWWAE_OK) give_up(crew, status);
        pthread_cond_broadcast(&crew->changed); /* there may be more */
    }
}

static void tell_progress(struct crew *crew) {
    struct study *study = crew->study;
    struct swwae_progress p = report_blank("study");
    const double worked = study->worked + under_way(crew, &p.images_per_second);
    p.steps = (uint64_t)WORK_UNITS;
    p.step = (uint64_t)lround(WORK_UNITS * fmin(1, worked / study->work));
    p.seconds_left = seconds_left(crew, worked);
    report_send(study->reporter, &p);
}

static bool at_work(const struct crew *crew) {
    bool waiting = false;
    for (int i = 0; i < crew->jobs->count; i++) {
        if (crew->jobs->list[i]->state == JOB_RUNNING) return true;
        waiting |= crew->jobs->list[i]->state == JOB_WAITING;
    }
    return waiting && !crew->stop;
}

/* Until all is done or stopped. */
static void wait_for(struct crew *crew) {
    struct timespec until;
    pthread_mutex_lock(&crew->mutex);
    for (tell_jobs(crew); at_work(crew); tell_jobs(crew)) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)(TICK * 1e9);
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&crew->changed, &crew->mutex, &until);
        if (report_due(crew->study->reporter)) tell_progress(crew);
        crew->stop |= crew->study->reporter->stop;
    }
    tell_progress(crew);
    crew->stop = true;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->mutex);
}

swwae_status jobs_run(struct study *study, struct jobs *jobs, const swwae_dataset *test,
                      swwae_status (*ended)(struct jobs *jobs, const struct job *job, void *user),
                      void *user) {
    swwae_status status = SWWAE_OK;
    const int given = options_given(study->given, "threads") ? study->given->settings.threads : 0;
    struct crew crew = {.study = study,
                        .test = test,
                        .threads = given ? given : 1,
                        .ended = ended,
                        .user = user,
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .jobs = jobs};
    int started = 0;
    pthread_t *threads = calloc((size_t)study->jobs, sizeof *threads);
    CHECK(threads, SWWAE_E_MEMORY, "no memory for %d threads", study->jobs);
    while (started < study->jobs && !pthread_create(&threads[started], NULL, work, &crew))
        started++;
    CHECK(started, SWWAE_E_MEMORY, "no thread could be started for a training");
    wait_for(&crew);
    for (int t = 0; t < started; t++) pthread_join(threads[t], NULL);
    if (crew.status != SWWAE_OK) status = status_set(crew.status, "%s", crew.error);
    if (status == SWWAE_OK) status = study_check_stop(study);
fail:
    free(threads);
    pthread_mutex_destroy(&crew.mutex);
    pthread_cond_destroy(&crew.changed);
    return status;
}

/* ---- The list --------------------------------------------------------------------------- */

swwae_status jobs_add(struct jobs *jobs, const struct job *given) {
    swwae_status status = SWWAE_OK;
    struct job *job = malloc(sizeof *job);
    if (jobs->count == jobs->room) {
        const int room = 2 * jobs->room + 64;
        const size_t bytes = (size_t)room * sizeof(struct job *); /* NOLINT(bugprone-sizeof-*) */
        void *list = realloc(jobs->list, bytes);
        CHECK(list, SWWAE_E_MEMORY, "no memory for %d trainings", room);
        jobs->list = list;
        jobs->room = room;
    }
    CHECK(job, SWWAE_E_MEMORY, "no memory for a training");
    *job = *given;
    jobs->list[jobs->count++] = job;
    return SWWAE_OK;
fail:
    free(job);
    swwae_options_free(given->options);
    return status;
}

void jobs_free(struct jobs *jobs) {
    for (int i = 0; i < jobs->count; i++) {
        swwae_options_free(jobs->list[i]->options);
        free(jobs->list[i]);
    }
    free(jobs->list);
    *jobs = (struct jobs){0};
}
