/* test_trainer.c - whole runs of tiny nets: the modes, defaults, refusals, divergence. */
#include "runs.h"

#include <unistd.h>

#include "train/model.h"

/* ---- Modes ------------------------------------------------------------------------------ */

static void test_modes(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "supervised", "lambda-rec", "0", "lambda-m", "0", "epochs", "10", NULL));
    assert_true(seen.last_loss < 0.9 * seen.first_loss);
    assert_true(seen.validations == 10 && seen.bests >= 1);
    assert_string_equal(seen.folder, temporary_path("supervised"));
    assert_int_equal(rows_of("supervised"), 10);
    assert_false(metrics_have("supervised", "nan"));

    seen = unseen(NULL);
    well(train(&seen, "unsupervised", "labels", "none", "epochs", "10", NULL));
    assert_true(seen.last_loss < 0.7 * seen.first_loss);
    assert_int_equal(rows_of("unsupervised"), 10);
    assert_false(metrics_have("unsupervised", "nan"));

    seen = unseen(NULL);
    well(train(&seen, "semi", "labels", "50", "epochs", "10", NULL));
    assert_true(seen.last_loss < 0.9 * seen.first_loss);
    assert_int_equal(rows_of("semi"), 10);

    swwae_model *model; /* a run folder can be loaded and used */
    well(swwae_model_load(&model, temporary_path("semi")));
    assert_int_equal(swwae_model_classes(model), 10);
    swwae_model_free(model);
    well(swwae_model_load(&model, temporary_path("semi/checkpoint.safetensors")));
    swwae_model_free(model);

    seen = unseen(NULL); /* sgd, other reductions, sigmoid */
    well(train(&seen, "sgd", "labels", "50", "optimizer", "sgd", "reduction", "sum", "output",
               "sigmoid", "lambda-rec", "0.01", "lambda-m", "0.001", "schedule", "step",
               "lr-step-every", "1", NULL));
    assert_true(seen.last_loss < seen.first_loss);
}

/* The paper's net learns what is in the built-in data, and runs get the next free folder. */
static void test_shapes(void **state) {
    (void)state;
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(temporary_folder), 0);
    swwae_options *options;
    well(swwae_options_create(&options));
    well(swwae_options_set(options, "data", "shapes"));
    well(swwae_options_set(options, "arch", ARCH));
    well(swwae_options_set(options, "steps", "3"));
    struct seen seen = unseen(NULL);
    well(swwae_train(options, NULL, NULL));
    well(swwae_train(options, watch, &seen));
    assert_string_equal(seen.folder, "runs/shapes-2");
    swwae_model *model;
    well(swwae_model_load(&model, "runs/shapes-1"));
    assert_string_equal(swwae_model_class_name(model, 0), "disc");
    swwae_model_free(model);
    swwae_options *back;
    well(swwae_options_create(&back));
    well(swwae_options_load(back, "runs/shapes-2/config.json"));
    assert_string_equal(swwae_options_get(back, "out"), "runs/shapes-2");
    assert_string_equal(swwae_options_get(options, "out"), "auto"); /* the caller's are const */
    swwae_options_free(back);
    swwae_options_free(options);
    assert_int_equal(chdir(here), 0);
}

/* ---- Refusals --------------------------------------------------------------------------- */

static void test_refusals(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "taken", "steps", "1", NULL));
    says(train(&seen, "taken", "steps", "1", NULL), SWWAE_E_ARGUMENT,
         "already holds a run (config.json); go on with it by --resume ");
    says(train(&seen, "no", "arch", "(4)3c-4p", "lambda-nll", "1", NULL), SWWAE_E_ARGUMENT,
         "option --lambda-nll: \"1\" found, expected 0 because the architecture has no fully");
    says(train(&seen, "no", "labels", "none", "lambda-nll", "0.5", NULL), SWWAE_E_ARGUMENT,
         "option --lambda-nll: \"0.5\" found, expected 0 because --labels none");
    says(train(&seen, "no", "arch", "(4)3c-4p-5fc", NULL), SWWAE_E_DATA,
         "the data has 10 classes but the architecture ends in 5fc");
    says(train(&seen, "no", "lambda-m", "1,1", NULL), SWWAE_E_ARGUMENT,
         "option --lambda-m: 2 values found, expected 1 (the architecture has 2 stages)");
    says(train(&seen, "no", "arch", "(2)3c-2p-(2)3c-2p-(2)3c-2p-10fc", "lambda-m", "1,1,1", NULL),
         SWWAE_E_ARGUMENT,
         "3 values found, expected 1 for all or 2, one for each inner boundary (the architecture "
         "has 3 stages)");
    says(train(&seen, "no", "beta", "1,1,1", NULL), SWWAE_E_ARGUMENT,
         "option --beta: 3 values found, expected 1 for all or 2, one for each stage (the "
         "architecture has 2 stages)");
    says(train(&seen, "no", "decoder-top", "classes", "lambda-m", "1,1,1", NULL), SWWAE_E_ARGUMENT,
         "option --lambda-m: 3 values found, expected 1 for all or 2, one for each inner boundary");
    says(train(&seen, "no", "decoder-top", "classes", "arch", "(4)3c-4p", NULL), SWWAE_E_ARGUMENT,
         "a decoder that starts from the classes was asked for");
    says(train(&seen, "no", "rec-layers", "input", "lambda-m", "0.5", NULL), SWWAE_E_ARGUMENT,
         "option --lambda-m: \"0.5\" found, expected 0 because --rec-layers input rebuilds nothing "
         "but the image");
    says(train(&seen, "no", "rec-layers", "layerwise", "decoder-top", "classes", "lambda-m", "1,0",
               NULL),
         SWWAE_E_ARGUMENT, "only the intermediate term at the top reaches the layers from the");
    says(train(&seen, "no", "unpool", "fixed", "where-noise", "0.1", NULL), SWWAE_E_ARGUMENT,
         "noise on the where was asked for, but a decoder that unpools by \"fixed\"");
    says(train(&seen, "no", "labels", "15", NULL), SWWAE_E_DATA, "");
    says(train(&seen, "no", "validation", "240", NULL), SWWAE_E_DATA, "");
    says(train(&seen, "no", "labels", "50", "batch", "1", NULL), SWWAE_E_ARGUMENT,
         "option --batch: 1 found, expected at least 2");
    says(train(&seen, "no", "labels", "none", "lambda-rec", "0", "lambda-m", "0", NULL),
         SWWAE_E_ARGUMENT, "every term of the loss is off");
    says(train(&seen, "no", "data", "/nowhere/at/all", NULL), SWWAE_E_IO, "/nowhere/at/all");
    struct stat about;
    assert_int_equal(stat(temporary_path("no"), &about), -1); /* refused before anything is made */
    says(swwae_train(NULL, NULL, NULL), SWWAE_E_ARGUMENT, "options is NULL");
    says(swwae_resume(NULL, NULL, NULL, NULL), SWWAE_E_ARGUMENT, "run is NULL");
    says(swwae_resume(temporary_path("none"), NULL, NULL, NULL), SWWAE_E_IO, "config.json");
}

static void test_defaults_that_fit(void **state) {
    (void)state;
    struct seen seen = unseen(NULL); /* no fc layer: unsupervised by itself; one pool: no m */
    well(train(&seen, "pure", "arch", "(4)3c-4p", "epochs", "1", NULL));
    assert_int_equal(seen.messages, 0);
    size_t size;
    char *config = file_of("pure", "config.json", &size);
    assert_non_null(strstr(config, "\"lambda-nll\": 0,"));
    assert_non_null(strstr(config, "\"lambda-m\": 0,"));
    assert_non_null(strstr(config, "\"labels\": \"none\","));
    free(config);
    well(go_on(&seen, "pure")); /* the settled options are accepted again */
    assert_non_null(strstr(seen.message, "complete"));

    seen = unseen(NULL);
    well(train(&seen, "useless", "arch", "(4)3c-4p-10fc", "lambda-m", "2", "steps", "1", NULL));
    assert_int_equal(seen.messages, 1);
    assert_string_equal(seen.message, "--lambda-m 2 has no effect: a one-pool net has no inner "
                                      "boundary");
}

static void has_in_config(const char *run, const char *part) {
    size_t size;
    char *config = file_of(run, "config.json", &size);
    if (!strstr(config, part)) fail_msg("no %s in %s", part, config);
    free(config);
}

/* What the variants change about the defaults, and what they leave in the table. */
static void test_variants(void **state) {
    (void)state;
    struct seen seen = unseen(NULL); /* only the image: lambda-m is 0 by itself */
    well(train(&seen, "input", "rec-layers", "input", "labels", "50", "epochs", "1", NULL));
    assert_int_equal(seen.messages, 0);
    has_in_config("input", "\"lambda-m\": 0,");
    assert_string_equal(last_cell("input", "m,"), "");
    assert_string_equal(last_cell("input", "l1,"), "");
    well(go_on(&seen, "input"));

    /* from the classes, a net of one pool has an inner boundary: at the top */
    seen = unseen(NULL);
    well(train(&seen, "top", "arch", "(4)3c-4p-10fc", "decoder-top", "classes", "labels", "50",
               "lambda-m", "0.5", "epochs", "1", NULL));
    assert_int_equal(seen.messages, 0);
    has_in_config("top", "\"lambda-m\": 0.5,");
    assert_true(strtod(last_cell("top", "m,"), NULL) > 0);

    seen = unseen(NULL); /* without labels nothing looks at them, the decoder neither */
    well(train(&seen, "free", "decoder-top", "classes", "lambda-nll", "0", "epochs", "1", NULL));
    has_in_config("free", "\"labels\": \"none\",");

    seen = unseen(NULL);
    well(train(&seen, "sparse", "lambda-l1", "0.1", "labels", "50", "epochs", "1", NULL));
    const double l1 = strtod(last_cell("sparse", "l1,"), NULL);
    assert_true(l1 > 0);
    const double sum = strtod(last_cell("sparse", "nll,"), NULL) +
                       strtod(last_cell("sparse", "rec,"), NULL) +
                       strtod(last_cell("sparse", "m,"), NULL) + 0.1 * l1;
    /* cells have seven digits */
    assert_true(fabs(strtod(last_cell("sparse", "loss,"), NULL) - sum) < 4e-7 * (1 + sum));
}

/* ---- Where a training begins ------------------------------------------------------------ */

/* The encoder is the other run's, to the bit when it is frozen; what does not fit begins anew. */
static void test_init_from(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "first", "labels", "none", "steps", "5", NULL));
    const char *first = temporary_path("first");
    well(train(&seen, "second", "init-from", first, "freeze", "encoder", "steps", "5", "seed", "9",
               "lambda-rec", "0", "lambda-m", "0", NULL));
    assert_non_null(strstr(seen.message, "10 of 10 tensors come from "));
    struct swwae_model *a, *b;
    well(swwae_model_load(&a, first));
    well(swwae_model_load(&b, temporary_path("second")));
    for (size_t v = 0; v < a->network.view_count; v++) {
        const struct view *view = &a->network.view[v];
        const bool same = !memcmp(a->parameters + view->offset, b->parameters + view->offset,
                                  view->size * sizeof *a->parameters);
        assert_int_equal(same, strncmp(view->name, "classifier.", 11) != 0);
    }
    swwae_model_free(a);
    swwae_model_free(b);
    well(train(&seen, "third", "init-from", temporary_path("first/checkpoint.safetensors"), "arch",
               "(4)3c-4p-(6)3c-4p-5fc-10fc", "steps", "1", NULL));
    assert_non_null(strstr(seen.message, "8 of 12 tensors come from "));
    says(train(&seen, "none", "init-from", first, "arch", "(4)3c-4p-(7)3c-4p-10fc", NULL),
         SWWAE_E_ARGUMENT, "has another shape of encoder.1.0.weight, expected the encoder of this");
    says(train(&seen, "none", "init-from", first, "norm", "batch", NULL), SWWAE_E_ARGUMENT,
         "first was trained with --norm none, found --norm batch; give --norm none");
    well(train(&seen, "normed", "norm", "pooled", "steps", "1", NULL));
    says(train(&seen, "none", "init-from", temporary_path("normed"), NULL), SWWAE_E_ARGUMENT,
         "normed was trained with --norm pooled, found --norm none; give --norm pooled");
    says(train(&seen, "none", "init-from", "nowhere", NULL), SWWAE_E_IO, "option --init-from: ");
    assert_int_equal(access(temporary_path("none"), F_OK), -1);
}

/* --label-seed draws the labels, --seed everything else. */
static void test_label_seed(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "s3", "labels", "50", "seed", "3", "steps", "3", NULL));
    well(train(&seen, "s4", "labels", "50", "seed", "4", "label-seed", "3", "steps", "3", NULL));
    well(train(&seen, "s5", "labels", "50", "seed", "3", "label-seed", "3", "steps", "3", NULL));
    well(train(&seen, "s6", "labels", "50", "seed", "3", "label-seed", "4", "steps", "3", NULL));
    same_file("s3", "s4", "labels.json");
    char *one = metrics_of("s3"), *other = metrics_of("s4"), *same = metrics_of("s5");
    assert_string_equal(one, same);
    assert_string_not_equal(one, other);
    size_t m, n;
    char *three = file_of("s3", "labels.json", &m), *four = file_of("s6", "labels.json", &n);
    assert_true(m != n || memcmp(three, four, m) != 0);
    free(one);
    free(other);
    free(same);
    free(three);
    free(four);
}

/* --teacher-augment changes what the teacher looks at and nothing else: with pseudo-labels of no
 * weight the models are the same, and the pseudo-labels are not. It never recolours or erases. */
static void test_teacher_augment(void **state) {
    (void)state;
    static const char *const part[] = {"0", "1", "0", "1"};
    float image[1024] = {0.5f}, p[4][10];
    char *metrics[4];
    for (int i = 0; i < 4; i++) {
        struct seen seen = unseen(NULL);
        char name[16], path[64];
        snprintf(name, sizeof name, "taught-%d", i);
        snprintf(path, sizeof path, "%s/checkpoint.safetensors", name);
        well(train(&seen, name, "labels", "50", "steps", "20", "augment",
                   i < 2 ? "affine" : "colour,erase", "pseudo-labels", "0.01", "pseudo-weight",
                   "1e-30", "teacher-augment", part[i], NULL));
        swwae_model *model;
        well(swwae_model_load(&model, temporary_path(path)));
        well(swwae_model_predict(model, image, 1, p[i]));
        swwae_model_free(model);
        metrics[i] = metrics_of(name);
    }
    assert_memory_equal(p[0], p[1], sizeof p[0]);
    assert_string_not_equal(metrics[0], metrics[1]);
    assert_memory_not_equal(p[0], p[2], sizeof p[0]);
    assert_memory_equal(p[2], p[3], sizeof p[2]);
    assert_string_equal(metrics[2], metrics[3]);
    for (int i = 0; i < 4; i++) free(metrics[i]);
}

static void test_no_validation(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "blind", "validation", "0", "epochs", "2", NULL));
    assert_int_equal(seen.messages, 1);
    assert_non_null(strstr(seen.message, "there is no validation set"));
    assert_true(seen.validations == 0 && seen.bests == 0);
    assert_false(metrics_have("blind", "nan"));
    assert_true(metrics_have("blind", ",,,")); /* no validation error, no validation rec */
    swwae_model *last, *model;
    well(swwae_model_load(&model, temporary_path("blind")));
    well(swwae_model_load(&last, temporary_path("blind/checkpoint.safetensors")));
    float image[1024] = {0.5f}, p[10], q[10];
    well(swwae_model_predict(model, image, 1, p));
    well(swwae_model_predict(last, image, 1, q));
    assert_memory_equal(p, q, sizeof p);
    swwae_model_free(model);
    swwae_model_free(last);
    seen = unseen("train"); /* stopped early: still a model */
    assert_int_equal(train(&seen, "blind-stopped", "validation", "0", NULL), SWWAE_E_INTERRUPTED);
    well(swwae_model_load(&model, temporary_path("blind-stopped")));
    swwae_model_free(model);
}

static void test_diverging(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    swwae_status status =
        train(&seen, "wild", "optimizer", "sgd", "lr", "1e30", "schedule", "constant", NULL);
    says(status, SWWAE_E_NUMERIC, "step ");
    assert_non_null(strstr(swwae_last_error(), "lower --lr"));
    assert_non_null(strstr(swwae_last_error(), ", first in the "));
    swwae_model *model; /* the last good state */
    well(swwae_model_load(&model, temporary_path("wild/checkpoint.safetensors")));
    swwae_model_free(model);
    assert_false(metrics_have("wild", "nan"));
}

/* A clipped training stays where an unclipped one diverges, its bits do not depend on the threads,
 * and a bound that is never reached changes nothing. */
static void test_clipping(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    says(train(&seen, "steep", "optimizer", "sgd", "lr", "50", "labels", "50", NULL),
         SWWAE_E_NUMERIC, "with --clip-norm");
    well(train(&seen, "clip-1", "optimizer", "sgd", "lr", "50", "labels", "50", "clip-norm",
               "0.001", "threads", "1", NULL));
    has_in_config("clip-1", "\"clip-norm\": 0.001");
    well(train(&seen, "clip-3", "optimizer", "sgd", "lr", "50", "labels", "50", "clip-norm",
               "0.001", "threads", "3", NULL));
    same_file("clip-1", "clip-3", "model.safetensors");
    well(train(&seen, "free-of-it", "epochs", "1", "labels", "50", "out", "x", NULL));
    well(train(&seen, "unreached", "epochs", "1", "labels", "50", "clip-norm", "1e30", NULL));
    char *a = metrics_of("free-of-it"), *b = metrics_of("unreached");
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* A training that diverges goes back with half the rate until it no longer does; the same with any
 * number of threads; and the checkpoint remembers the rate. A step that no rate helps ends it. */
static void test_rewinding(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "back-1", "optimizer", "sgd", "lr", "50", "labels", "50", "on-nan", "rewind",
               "threads", "1", NULL));
    assert_memory_equal(seen.message, "going back to step ", 19);
    has_in_config("back-1", "\"on-nan\": \"rewind\"");
    well(train(&seen, "back-3", "optimizer", "sgd", "lr", "50", "labels", "50", "on-nan", "rewind",
               "threads", "3", NULL));
    same_file("back-1", "back-3", "model.safetensors");
    same_file("back-1", "back-3", "checkpoint.safetensors");
    assert_false(metrics_have("back-1", "nan"));
    assert_false(metrics_have("back-1", ",50,")); /* the rate of no row */
    says(train(&seen, "hopeless", "lambda-rec", "1e39", "on-nan", "rewind", NULL), SWWAE_E_NUMERIC,
         "step 1: ");
}

static void test_damaged_runs(void **state) {
    (void)state;
    struct seen seen = unseen("train");
    assert_int_equal(train(&seen, "hurt", "labels", "50", NULL), SWWAE_E_INTERRUPTED);
    size_t size, other;
    char *checkpoint = file_of("hurt", "checkpoint.safetensors", &size);
    char *labels = file_of("hurt", "labels.json", &other);
    unlink(temporary_path("hurt/checkpoint-previous.safetensors")); /* see test_checkpoints */

    temporary_write("hurt/checkpoint.safetensors", checkpoint, size / 2);
    says(go_on(&seen, "hurt"), SWWAE_E_FORMAT, "checkpoint.safetensors");
    temporary_write("hurt/checkpoint.safetensors", checkpoint, size);

    temporary_write("hurt/labels.json", labels, other - 5);
    says(go_on(&seen, "hurt"), SWWAE_E_DATA, "labels.json: does not list the images");
    temporary_write("hurt/labels.json", labels, other);

    seen = unseen(NULL);
    well(train(&seen, "of-sgd", "labels", "50", "optimizer", "sgd", "steps", "1", NULL));
    well(train(&seen, "of-norm", "norm", "batch", "labels", "50", "steps", "1", NULL));
    well(train(&seen, "of-soft", "beta", "9", "labels", "50", "steps", "1", NULL));
    well(train(&seen, "of-arch", "arch", "(3)3c-4p-10fc", "labels", "50", "steps", "1", NULL));
    size_t n;
    char *foreign = file_of("of-sgd", "checkpoint.safetensors", &n);
    temporary_write("hurt/checkpoint.safetensors", foreign, n);
    free(foreign);
    says(go_on(&seen, "hurt"), SWWAE_E_FORMAT, "optimizer.v is missing, so it was written with");
    const char *const others[] = {"of-arch", "of-norm", "of-soft"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        foreign = file_of(others[i], "checkpoint.safetensors", &n);
        temporary_write("hurt/checkpoint.safetensors", foreign, n);
        free(foreign);
        says(go_on(&seen, "hurt"), SWWAE_E_FORMAT, "another architecture, variant or image size");
    }
    foreign = file_of("of-sgd", "model.safetensors", &n);
    temporary_write("hurt/checkpoint.safetensors", foreign, n);
    free(foreign);
    says(go_on(&seen, "hurt"), SWWAE_E_FORMAT, "is a model, expected a checkpoint");
    temporary_write("hurt/checkpoint.safetensors", checkpoint, size);

    temporary_write("hurt/metrics.csv", "epoch\n", 6);
    says(go_on(&seen, "hurt"), SWWAE_E_FORMAT, "metrics.csv: does not begin with the header");
    unlink(temporary_path("hurt/metrics.csv"));
    seen = unseen(NULL);
    well(go_on(&seen, "hurt"));
    says(swwae_resume(temporary_subfolder("nothing"), NULL, NULL, NULL), SWWAE_E_IO, "config.json");
    free(checkpoint);
    free(labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),           cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_defaults_that_fit),
        cmocka_unit_test(test_variants),        cmocka_unit_test(test_no_validation),
        cmocka_unit_test(test_init_from),       cmocka_unit_test(test_label_seed),
        cmocka_unit_test(test_teacher_augment), cmocka_unit_test(test_diverging),
        cmocka_unit_test(test_clipping),        cmocka_unit_test(test_rewinding),
        cmocka_unit_test(test_damaged_runs),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
