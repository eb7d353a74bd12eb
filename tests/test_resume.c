/* test_resume.c - the same bits after interruptions, with any number of threads. */
#include "runs.h"

#include <unistd.h>

/* Goes on with a run that stops at its very first report, again and again, then goes through. */
static void go_through(const char *parts) {
    struct seen seen;
    for (int i = 0; i < 20; i++) {
        seen = unseen("train");
        swwae_status status = go_on(&seen, parts);
        if (status == SWWAE_OK) break;
        assert_int_equal(status, SWWAE_E_INTERRUPTED);
        assert_true(seen.calls <= 2); /* a validation may come before */
    }
    seen = unseen(NULL);
    well(go_on(&seen, parts));
}

static void check_resume(const char *whole, const char *parts, const char *labels,
                         const char *optimizer, const char *rec) {
    struct seen seen = unseen(NULL);
    well(train(&seen, whole, "labels", labels, "optimizer", optimizer, "lambda-rec", rec,
               "lambda-m", rec, "epochs", "2.5", NULL));
    seen = unseen("train");
    assert_int_equal(train(&seen, parts, "labels", labels, "optimizer", optimizer, "lambda-rec",
                           rec, "lambda-m", rec, "epochs", "2.5", NULL),
                     SWWAE_E_INTERRUPTED);
    assert_non_null(strstr(swwae_last_error(), "--resume "));
    go_through(parts);
    same_run(whole, parts);
    seen = unseen(NULL);
    well(go_on(&seen, parts)); /* nothing left to do */
    assert_int_equal(seen.messages, 1);
    assert_non_null(strstr(seen.message, "is complete"));
    same_run(whole, parts);
}

static swwae_status train_variant(struct seen *seen, const char *out, const char *layers,
                                  const char *optimizer, const char *threads) {
    return train(seen, out, "labels", "50", "beta", "hard,20", "decoder-top", "classes", "tied",
                 "yes", "norm", "batch", "lambda-l1", "0.01", "dropout", "0.5", "dropout-conv",
                 "0.1", "noise", "0.1", "where-noise", "0.1", "rec-layers", layers, "optimizer",
                 optimizer, "weight-decay", "0.01", "threads", threads, "epochs", "2.5", NULL);
}

/* Every variant at once: what is drawn at random, running statistics and the sparsity term too. */
static void test_resume_variants(void **state) {
    (void)state;
    static const char *const kinds[][2] = {{"all", "adam"}, {"layerwise", "sgd"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char whole[32], parts[32];
        snprintf(whole, sizeof whole, "whole-%s", kinds[i][0]);
        snprintf(parts, sizeof parts, "parts-%s", kinds[i][0]);
        struct seen seen = unseen(NULL);
        well(train_variant(&seen, whole, kinds[i][0], kinds[i][1], "1"));
        assert_true(strtod(last_cell(whole, "l1,"), NULL) > 0);
        seen = unseen("train");
        assert_int_equal(train_variant(&seen, parts, kinds[i][0], kinds[i][1], "3"),
                         SWWAE_E_INTERRUPTED);
        go_through(parts);
        same_run(whole, parts);
    }
}

static void test_resume(void **state) {
    (void)state;
    check_resume("whole-a", "parts-a", "50", "adam", "1");
    check_resume("whole-b", "parts-b", "all", "sgd", "0");
    check_resume("whole-c", "parts-c", "none", "adam", "1");
}

/* Augmented images, averaged weights, pseudo-labels, consistency: all that remembers or draws. */
static void test_resume_agreement(void **state) {
    (void)state;
    static const char *const norms[] = {"none", "batch", "pooled"};
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++) {
        char whole[32], parts[32];
        snprintf(whole, sizeof whole, "whole-p%zu", i);
        snprintf(parts, sizeof parts, "parts-p%zu", i);
#define AGREEMENT(threads)                                                                         \
    "labels", "50", "lambda-rec", i ? "0" : "1", "lambda-m", i ? "0" : "1", "norm", norms[i],      \
        "teacher-augment", i ? "0.7" : "0", "augment", "affine,shift,mirror,elastic,colour,erase", \
        "augment-border", i ? "mirror" : "zeros", "average", "0.9", "pseudo-labels", "0.16",       \
        "balance", "yes", "consistency", "3", "epochs", "2.5", "threads", threads, NULL
        struct seen seen = unseen(NULL);
        well(train(&seen, whole, AGREEMENT("1")));
        assert_true(strtod(last_cell(whole, "confident,"), NULL) > 0);
        assert_true(strtod(last_cell(whole, "pseudo,"), NULL) > 0);
        assert_true(strtod(last_cell(whole, "consistency,"), NULL) > 0);
        seen = unseen("train");
        assert_int_equal(train(&seen, parts, AGREEMENT("3")), SWWAE_E_INTERRUPTED);
        go_through(parts);
        same_run(whole, parts);
    }
}

/* A run that began with another's weights needs it no more, and a frozen encoder stays frozen. */
static void test_resume_begun(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "begin", "labels", "none", NULL));
    const char *begin = temporary_path("begin/model.safetensors");
    static const char *const runs[] = {"whole-f", "parts-f"};
    for (int i = 0; i < 2; i++) {
        seen = unseen(i ? "train" : NULL);
        assert_int_equal(train(&seen, runs[i], "labels", "50", "lambda-rec", "0", "lambda-m", "0",
                               "average", "0.9", "freeze", "encoder", "init-from", begin, NULL),
                         i ? SWWAE_E_INTERRUPTED : SWWAE_OK);
    }
    assert_int_equal(unlink(begin), 0);
    go_through("parts-f");
    same_run("whole-f", "parts-f");
}

/* Stopped during a validation: it is made up for. */
static void test_resume_validation(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "whole-v", "batch", "200", NULL));
    seen = unseen("validate");
    assert_int_equal(train(&seen, "parts-v", "batch", "200", NULL), SWWAE_E_INTERRUPTED);
    assert_int_equal(rows_of("parts-v"), 0);
    assert_int_equal(seen.step, 1); /* told, though no report was due */
    seen = unseen(NULL);
    well(go_on(&seen, "parts-v"));
    assert_int_equal(rows_of("parts-v"), 3);
    same_run("whole-v", "parts-v");
}

/* A run that was killed after its metrics and model, before its checkpoint. */
static void test_resume_killed(void **state) {
    (void)state;
    struct seen seen = unseen("train");
    assert_int_equal(train(&seen, "killed", "labels", "50", NULL), SWWAE_E_INTERRUPTED);
    size_t size;
    char *old = file_of("killed", "checkpoint.safetensors", &size);
    seen = unseen(NULL);
    well(go_on(&seen, "killed"));
    assert_int_equal(rows_of("killed"), 3);
    temporary_write("killed/checkpoint.safetensors", old, size);
    free(old);
    seen = unseen(NULL);
    well(go_on(&seen, "killed"));
    assert_int_equal(rows_of("killed"), 3);
    seen = unseen(NULL);
    well(train(&seen, "unkilled", "labels", "50", NULL));
    same_run("unkilled", "killed");
}

static void test_resume_further(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "long", "schedule", "constant", "epochs", "4", NULL));
    well(train(&seen, "short", "schedule", "constant", "epochs", "2", NULL));
    swwae_options *more;
    well(swwae_options_create(&more));
    well(swwae_options_set(more, "epochs", "4"));
    well(swwae_options_set(more, "threads", "2"));
    well(swwae_options_set(more, "lr", "1e-2")); /* the same number may be repeated */
    well(swwae_resume(temporary_path("short"), more, watch, &seen));
    assert_int_equal(rows_of("short"), 4);
    char *x = metrics_of("long"), *y = metrics_of("short");
    assert_string_equal(x, y);
    free(x);
    free(y);
    same_file("long", "short", "checkpoint.safetensors");
    well(swwae_options_set(more, "lr", "0.5"));
    assert_int_equal(swwae_resume(temporary_path("short"), more, NULL, NULL), SWWAE_E_ARGUMENT);
    assert_string_equal(swwae_last_error(),
                        "option --lr: \"0.5\" found, but the run has \"0.01\" and only --epochs, "
                        "--steps, --threads and --checkpoint-every may change when it goes on");
    swwae_options_free(more);
}

/* Fewer steps than a run has that was stopped between rows: it ends where it is, with a row. */
static void test_resume_fewer(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    swwae_options *more;
    char steps[32];
    well(train(&seen, "fewer", "epochs", "1", NULL));
    const uint64_t step = seen.step;
    well(swwae_options_create(&more));
    well(swwae_options_set(more, "epochs", "2"));
    seen = unseen("train"); /* a step later */
    assert_int_equal(swwae_resume(temporary_path("fewer"), more, watch, &seen),
                     SWWAE_E_INTERRUPTED);
    assert_true(seen.step == step + 1 && rows_of("fewer") == 1);
    snprintf(steps, sizeof steps, "%d", (int)step);
    well(swwae_options_set(more, "steps", steps));
    seen = unseen(NULL);
    well(swwae_resume(temporary_path("fewer"), more, watch, &seen));
    assert_true(!seen.bad && seen.validations == 1 && seen.step == step + 1);
    assert_int_equal(rows_of("fewer"), 2);
    /* and where it ended on a row */
    well(swwae_options_set(more, "steps", "5"));
    seen = unseen(NULL);
    well(swwae_resume(temporary_path("fewer"), more, watch, &seen));
    size_t size;
    char *config = file_of("fewer", "config.json", &size);
    assert_non_null(strstr(config, "\"steps\": 5,"));
    free(config);
    swwae_options_free(more);
}

/* An option that a run's file does not have yet is at its own default, whatever the recipe makes of
 * it now. */
static void test_resume_older(void **state) {
    (void)state;
    static const char *const names[] = {"younger", "older"};
    struct seen seen;
    for (int i = 0; i < 2; i++) {
        seen = unseen(i ? "train" : NULL);
        assert_int_equal(train(&seen, names[i], "recipe", "photo", "labels", "50", "augment-border",
                               "zeros", "steps", "30", NULL),
                         i ? SWWAE_E_INTERRUPTED : SWWAE_OK);
    }
    size_t size, at = 0;
    char *config = file_of("older", "config.json", &size);
    while (at < size && strncmp(config + at, "\"augment-border", 15) != 0) at++;
    assert_true(at < size);
    while (config[at] != '\n') config[at++] = ' ';
    temporary_write("older/config.json", config, size);
    free(config);
    go_through("older");
    same_run("younger", "older");
}

static void test_threads(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "one", "labels", "50", "threads", "1", NULL));
    well(train(&seen, "two", "labels", "50", "threads", "2", NULL));
    well(train(&seen, "four", "labels", "50", "threads", "4", NULL));
    same_run("one", "two");
    same_run("one", "four");
    well(train(&seen, "other", "labels", "50", "seed", "2", NULL)); /* and seeds do matter */
    char *x = metrics_of("one"), *y = metrics_of("other");
    assert_string_not_equal(x, y);
    free(x);
    free(y);
}

/* Epochs far smaller than the validation set are not all validated, but the last is. */
static void test_short_epochs(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "dense", "labels", "10", "batch", "10", "lambda-rec", "0", "lambda-m", "0",
               "validation", "20", "epochs", "25", NULL)); /* a step an epoch */
    assert_in_range(rows_of("dense"), 2, 24);
    assert_int_equal(seen.validations, rows_of("dense"));
    assert_true(metrics_have("dense", "\n25,25,"));
    seen = unseen("train");
    assert_int_equal(train(&seen, "dense-parts", "labels", "10", "batch", "10", "lambda-rec", "0",
                           "lambda-m", "0", "validation", "20", "epochs", "25", NULL),
                     SWWAE_E_INTERRUPTED);
    seen = unseen(NULL);
    well(go_on(&seen, "dense-parts"));
    same_run("dense", "dense-parts");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_variants),
        cmocka_unit_test(test_resume_agreement),
        cmocka_unit_test(test_resume_begun),
        cmocka_unit_test(test_resume_validation),
        cmocka_unit_test(test_resume_killed),
        cmocka_unit_test(test_resume_further),
        cmocka_unit_test(test_resume_fewer),
        cmocka_unit_test(test_resume_older),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_short_epochs),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
