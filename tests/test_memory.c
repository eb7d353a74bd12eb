/* test_memory.c - the memory of a training is what was predicted, and one that cannot fit is
 * refused before its first step.
 *
 * Each training runs in a process of its own, whose peak the kernel tells. */
#include "runs.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* shadow memory is much of the peak, and most of the addresses */
#else
#define SANITIZED false
#endif

static size_t kilobytes(const char *key) {
    char line[256];
    unsigned long found = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) sscanf(line + strlen(key), " %lu", &found);
    fclose(file);
    return 1024 * (size_t)found;
}

struct figures {
    swwae_status predicted_status, status;
    swwae_memory memory;
    size_t before, peak;
    char message[512];
};

/* In a child: predicts, then trains; addresses: a limit on them over what it has, 0 for none. */
static struct figures measure(const swwae_options *options, size_t addresses) {
    struct figures figures = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child) {
        close(ends[1]);
        assert_int_equal(read(ends[0], &figures, sizeof figures), sizeof figures);
        close(ends[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        return figures;
    }
    if (addresses) {
        const rlim_t most = kilobytes("VmSize:") + addresses;
        setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
    }
    figures.before = kilobytes("VmRSS:");
    figures.predicted_status = swwae_train_memory(options, &figures.memory);
    figures.status = swwae_train(options, NULL, NULL);
    figures.peak = kilobytes("VmHWM:");
    snprintf(figures.message, sizeof figures.message, "%s", swwae_last_error());
    if (write(ends[1], &figures, sizeof figures) != sizeof figures) _exit(2);
    _exit(0);
}

/* Without what the process had before, which is only looked up. */
static void agrees(const char *name, const struct figures *f) {
    const double predicted = (double)f->memory.peak - (double)f->before;
    const double found = (double)f->peak - (double)f->before;
    print_message("%-40s predicted %7.2f MB, found %7.2f MB: %+.1f %%\n", name, predicted / 1e6,
                  found / 1e6, 100 * (predicted / found - 1));
    assert_true(predicted > 0.9 * found && predicted < 1.1 * found);
}

static swwae_options *of(const char *name, ...) {
    va_list pairs;
    va_start(pairs, name);
    swwae_options *options = options_of(pairs);
    va_end(pairs);
    well(swwae_options_set(options, "steps", "3"));
    well(swwae_options_set(options, "out", temporary_path(name)));
    return options;
}

static void test_prediction(void **state) {
    (void)state;
    static const struct {
        const char *arch, *batch, *threads;
        const char *option, *value;
    } cases[] = {
        {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", "64", "2", "labels", "100"},
        {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", "8", "1", "labels", "all"},
        {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", "200", "4", "lambda-rec", "0"},
        {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", "64", "8", "norm", "batch"},
        {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", "64", "2", "norm", "pooled"},
        {"(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc", "64", "2", "average", "0.99"},
        {"(16)5c-(32)3c-7p", "128", "2", "labels", "none"},
        {"(128)3c-2p-(256)3c-2p-(256)3c-2p-10fc", "32", "2", "optimizer", "sgd"},
        {"(32)3c-2p-(64)3c-2p-512fc-10fc", "100", "2", "pseudo-labels", "0.9"},
        {"(32)3c-2p-(64)3c-2p-10fc", "50", "2", "beta", "20"},
        {"(32)3c-2p-(64)3c-2p-10fc", "50", "2", "augment", "elastic"},
        {"(4)3c-2p-2000fc-2000fc-10fc", "16", "1", "dropout", "0.5"},
    };
    if (SANITIZED) skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128], folder[32];
        snprintf(folder, sizeof folder, "run-%zu", i);
        snprintf(name, sizeof name, "%.34s x%s %s", cases[i].arch, cases[i].batch, cases[i].option);
        swwae_options *options =
            of(folder, "arch", cases[i].arch, "batch", cases[i].batch, "threads", cases[i].threads,
               cases[i].option, cases[i].value, NULL);
        const struct figures f = measure(options, 0);
        swwae_options_free(options);
        if (f.status) fail_msg("%s", f.message);
        assert_int_equal(f.predicted_status, SWWAE_OK);
        agrees(name, &f);
    }
}

/* What cannot fit leaves no run folder and is told in one sentence. */
static void test_refusal(void **state) {
    (void)state;
    if (SANITIZED) skip();
    swwae_options *options = of("large", "batch", "4096", "threads", "1", NULL);
    const size_t wanted = measure(options, 0).memory.peak;
    swwae_options_free(options);
    options = of("refused", "batch", "4096", "threads", "1", NULL);
    const struct figures f = measure(options, wanted / 2);
    swwae_options_free(options);
    assert_int_equal(f.predicted_status, SWWAE_OK);
    assert_true(f.memory.available < wanted);
    assert_int_equal(f.status, SWWAE_E_MEMORY);
    if (!strstr(f.message, "training would take ")) fail_msg("%s", f.message);
    assert_int_equal(access(temporary_path("refused"), F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prediction),
                                       cmocka_unit_test(test_refusal)};
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
