/* timing.c - see timing.h. */
#include "timing.h"

#include "base/parallel.h"
#include "kernels/kernels.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBE_MS 3
#define PROBE_MEET_MS 2 /* most threads wake within 0.1 */
#define PROBE_THREADS 256
#define SETTLE_MS 10
#define SETTLE_IDLE_MS 0.2 /* of a processor in SETTLE_MS: what waiting costs */
#define SETTLE_MOST 33

_Noreturn void die(const char *sentence) {
    progress_clear();
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

void *take(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) die("not enough memory");
    return memory;
}

double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void settle(pid_t pid) {
    const struct timespec pause = {.tv_nsec = SETTLE_MS * 1000000};
    struct timespec t = {0};
    clockid_t clock;
    double used = -1;
    const bool known = clock_getcpuclockid(pid, &clock) == 0;
    for (int i = 0; i < SETTLE_MOST; i++) {
        nanosleep(&pause, NULL);
        if (known && clock_gettime(clock, &t)) return; /* it has ended */
        const double now = (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
        if (used >= 0 && now - used < SETTLE_IDLE_MS) return;
        used = now;
    }
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(const double *values, int count) {
    double sorted[MOST_REPS];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

void cpu_read(char cpu[128]) {
    snprintf(cpu, 128, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon || !colon[1]) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(cpu, 128, "%.120s", colon + 2);
        break;
    }
    if (file) fclose(file);
}

/* ---- the machine ---- */

struct probe {
    struct kernels kernels;
    struct pool *pool;
    int threads;
    atomic_int ready;
    double rate[PROBE_THREADS];
};

struct probe *probe_create(int threads, enum cpu_isa isa) {
    struct probe *probe = take(1, sizeof *probe);
    kernels_get(&probe->kernels, isa);
    probe->threads = threads < PROBE_THREADS ? threads : PROBE_THREADS;
    probe->pool = pool_create(probe->threads);
    return probe;
}

void probe_free(struct probe *probe) {
    if (!probe) return;
    pool_free(probe->pool);
    free(probe);
}

static void probe_job(void *context, int j, int worker) {
    (void)worker;
    struct probe *probe = context;
    float out[LANES];
    double flops = 0, start = now_ms(), took;
    atomic_fetch_add(&probe->ready, 1);
    while (atomic_load(&probe->ready) < probe->threads && now_ms() - start < PROBE_MEET_MS)
        ;
    start = now_ms();
    do {
        flops += probe->kernels.spin(out, 20000);
        took = now_ms() - start;
    } while (took < PROBE_MS);
    probe->rate[j] = flops / took * 1e3;
}

double probe_rate(struct probe *probe) {
    double rate = 0;
    atomic_store(&probe->ready, 0);
    pool_run(probe->pool, probe->threads, probe_job, probe);
    for (int j = 0; j < probe->threads; j++) rate += probe->rate[j];
    return rate;
}

/* ---- progress ---- */

void progress_show(const struct progress *progress, const char *item, int number, int count) {
    const bool live = isatty(STDERR_FILENO);
    if (!live && number) return;
    char left[32] = "";
    if (progress->done > 0) {
        const double seconds =
            (now_ms() - progress->start) / 1e3 * (progress->all - progress->done) / progress->done;
        snprintf(left, sizeof left, ", about %.0f %s left", seconds < 100 ? seconds : seconds / 60,
                 seconds < 100 ? "s" : "min");
    }
    fprintf(stderr, "%s%s: %d of %d%s%s", live ? "\r\033[K" : "", item, number, count, left,
            live ? "" : "\n");
    fflush(stderr);
}

void progress_clear(void) {
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}
