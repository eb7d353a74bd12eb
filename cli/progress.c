/* progress.c - the live line and its plain cousin; see progress.h. */
#include "progress.h"

#include "args.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LIVE_EVERY 0.1
#define PLAIN_EVERY 10.0
#define LINE 512

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

char *duration_text(char *text, double seconds) {
    if (!(seconds >= 0)) seconds = 0;
    if (seconds > 1e9) seconds = 1e9;
    long total = lround(seconds), days = total / 86400;
    int hours = (int)(total / 3600 % 24), minutes = (int)(total / 60 % 60);
    int left = (int)(total % 60);
    if (days)
        snprintf(text, 32, "%ldd %d:%02d:%02d", days, hours, minutes, left);
    else if (hours)
        snprintf(text, 32, "%d:%02d:%02d", hours, minutes, left);
    else
        snprintf(text, 32, "%d:%02d", minutes, left);
    return text;
}

void progress_begin(struct progress *progress, bool quiet) {
    const char *terminal = getenv("TERM");
    *progress = (struct progress){.quiet = quiet, .best_error = NAN, .best_rec = NAN};
    progress->live = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    /* The live line at once; the first plain line after its ten seconds. */
    progress->shown = progress->live ? clock_seconds() - LIVE_EVERY : clock_seconds();
}

void progress_clear(struct progress *progress) {
    if (!progress->drawn) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->drawn = false;
}

void progress_say(struct progress *progress, const char *text) {
    char plain[2048];
    if (progress->quiet) return;
    progress_clear(progress);
    fprintf(stderr, "%s\n", plain_text(plain, sizeof plain, text));
}

/* Columns of the terminal; asked every time, since windows are resized. */
static int terminal_width(void) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    long width = columns ? strtol(columns, NULL, 10) : 0;
    return width > 0 && width < LINE ? (int)width : 80;
}

/* A line made of parts: what does not fit is left out whole. */
struct line {
    char text[LINE];
    size_t used, limit;
};

__attribute__((format(printf, 2, 3))) static void part(struct line *line, const char *format, ...) {
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t space = line->used ? 2 : 0;
    if (length <= 0 || (size_t)length >= sizeof text ||
        line->used + space + (size_t)length > line->limit) {
        line->limit = line->used; /* and what comes after it, which matters less */
        return;
    }
    line->used += (size_t)snprintf(line->text + line->used, sizeof line->text - line->used, "%s%s",
                                   space ? "  " : "", text);
}

/* The most important first. */
static void compose(struct line *line, const struct progress *progress,
                    const swwae_progress *event) {
    char left[32];
    bool training = event->epochs > 0;
    part(line, "%s", event->what);
    if (training)
        part(line, "epoch %.2f/%.*f", event->epoch, event->epochs == floor(event->epochs) ? 0 : 2,
             event->epochs);
    else if (event->steps)
        part(line, "%.0f %%", 100 * (double)event->step / (double)event->steps);
    if (event->steps && event->step < event->steps && isfinite(event->seconds_left) &&
        event->images_per_second > 0)
        part(line, "left %s", duration_text(left, event->seconds_left));
    if (event->images_per_second > 0)
        part(line, "%.*f images/s", event->images_per_second < 100, event->images_per_second);
    if (training) {
        if (isfinite(event->loss)) part(line, "loss %.4g", event->loss);
        if (progress->validated && progress->has_error) {
            part(line, "validation %.2f %%", progress->error);
        } else if (progress->validated) {
            part(line, "validation rec %.4g", progress->rec);
        }
        if (!isnan(progress->best_error))
            part(line, "best %.2f %%", progress->best_error);
        else if (!isnan(progress->best_rec))
            part(line, "best %.4g", progress->best_rec);
        if (isfinite(event->confident)) part(line, "sure %.0f %%", event->confident);
        if (isfinite(event->nll)) part(line, "nll %.4g", event->nll);
        if (isfinite(event->rec)) part(line, "rec %.4g", event->rec);
        if (isfinite(event->m)) part(line, "m %.4g", event->m);
    }
    if (training && event->steps)
        part(line, "step %llu/%llu", (unsigned long long)event->step,
             (unsigned long long)event->steps);
}

static void remember(struct progress *progress, const swwae_progress *event) {
    progress->validated = true;
    progress->has_error = !isnan(event->validation_error);
    progress->error = event->validation_error;
    progress->rec = event->validation_rec;
}

/* The best may be of an earlier call, before --resume: then only its score is known. */
static void remember_best(struct progress *progress, const swwae_progress *event) {
    if (isnan(event->best_score) || event->best_step == progress->best_step) return;
    bool now = event->validated && event->best;
    progress->best_error = event->best_by_error ? event->best_score : NAN;
    progress->best_rec = event->best_by_error ? NAN : event->best_score;
    if (now) progress->best_rec = event->validation_rec;
    progress->best_step = event->best_step;
    progress->best_epoch =
        event->steps ? (double)event->best_step * event->epochs / (double)event->steps : 0;
}

void progress_show(struct progress *progress, const swwae_progress *event) {
    if (event->validated) remember(progress, event);
    remember_best(progress, event);
    if (progress->quiet) return;
    if (event->message) {
        progress_say(progress, event->message);
        return;
    }
    double now = clock_seconds();
    bool due = now - progress->shown >= (progress->live ? LIVE_EVERY : PLAIN_EVERY);
    if (!due && !event->validated) return;
    progress->shown = now;
    struct line line = {.limit = LINE - 1};
    if (progress->live) {
        /* The last column stays free: some terminals wrap as soon as it is written. */
        int width = terminal_width() - 1;
        if (width < LINE - 1) line.limit = width > 0 ? (size_t)width : 0;
    }
    compose(&line, progress, event);
    if (progress->live) {
        fprintf(stderr, "\r%s\033[K", line.text);
        fflush(stderr);
        progress->drawn = true;
    } else {
        fprintf(stderr, "%s\n", line.text);
    }
}
