/* test_options.c - options from text and JSON, and the sentences about wrong ones. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "temporary.h"
#include "train/number.h"
#include "train/options.h"
#include "train/recipes.h"

static swwae_options *fresh(void) {
    swwae_options *options;
    assert_int_equal(swwae_options_create(&options), SWWAE_OK);
    return options;
}

static void refuses(swwae_options *options, const char *name, const char *value,
                    const char *sentence) {
    const char *before = swwae_options_get(options, name);
    assert_int_equal(swwae_options_set(options, name, value), SWWAE_E_ARGUMENT);
    assert_string_equal(swwae_last_error(), sentence);
    assert_ptr_equal(swwae_options_get(options, name), before);
}

/* An option's own default is what it has where no recipe sets it. */
static void test_defaults(void **state) {
    (void)state;
    swwae_options *options = fresh();
    const struct settings *s = &options->settings;
    for (size_t i = 0; swwae_option_info_at(i); i++)
        assert_false(options_given(options, swwae_option_info_at(i)->name));
    assert_string_equal(swwae_options_get(options, "recipe"), "auto");
    assert_int_equal(swwae_options_set(options, "recipe", "none"), SWWAE_OK);
    assert_string_equal(s->data, "fashion-mnist");
    assert_string_equal(s->arch, "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc");
    assert_true(s->labels == LABELS_ALL && s->validation == VALIDATION_AUTO);
    assert_true(s->lambda_nll == 1 && s->lambda_rec == 1 && s->lambda_m.value[0] == 1);
    assert_int_equal(s->lambda_m.count, 1);
    assert_int_equal(s->reduction, REDUCTION_MEAN);
    assert_int_equal(s->output, OUTPUT_LINEAR);
    /* the paper's plain model: every variant is off */
    assert_true(s->beta.count == 1 && s->beta.value[0] == 0);
    assert_true(!s->classes_top && !s->tied && !s->norm && s->unpooling == UNPOOL_SWITCHES);
    assert_int_equal(s->layers, LAYERS_ALL);
    assert_true(s->dropout == 0 && s->dropout_conv == 0 && s->noise == 0 && s->where_noise == 0);
    assert_true(s->lambda_l1 == 0);
    assert_true(s->epochs == 10 && s->steps == 0 && s->batch == 64);
    assert_true(s->labelled_share == 0.25 && s->lr == 0.001 && s->momentum == 0.9);
    assert_int_equal(s->optimizer, OPTIMIZER_ADAM);
    assert_int_equal(s->schedule, SCHEDULE_COSINE);
    assert_true(s->seed == 1 && s->threads == 0 && s->pad == 0 && s->weight_decay == 0);
    size_t count = 0;
    for (const swwae_option_info *info; (info = swwae_option_info_at(count)); count++) {
        if (strcmp(info->name, "recipe") != 0)
            assert_string_equal(swwae_options_get(options, info->name), info->fallback);
        assert_true(info->argument && strlen(info->help) > 4);
    }
    assert_true(s->precision == PRECISION_FP32);
    assert_true(s->save_every.steps == 0 && s->save_every.seconds == 300);
    assert_true(s->augment == 0 && s->average == 0 && s->pseudo_labels == 0 && !s->balance);
    assert_true(s->consistency == 0 && s->augmented == AUGMENTED_ALL && s->augment_strength == 1);
    assert_true(s->augment_border == BORDER_ZEROS);
    assert_int_equal(count, 57);
    assert_null(swwae_options_get(options, "nothing"));
    swwae_options_free(options);
    swwae_options_free(NULL);
}

static void test_set(void **state) {
    (void)state;
    swwae_options *options = fresh();
    const struct settings *s = &options->settings;
    const char *const good[][2] = {
        {"labels", "none"},
        {"labels", "600"},
        {"validation", "0"},
        {"lambda-m", "1,0,2"},
        {"lambda-rec", ".5"},
        {"reduction", "norm"},
        {"output", "sigmoid"},
        {"optimizer", "sgd"},
        {"schedule", "step"},
        {"epochs", "1.5"},
        {"lr", "1e-4"},
        {"seed", "9223372036854775807"},
        {"batch", "65536"},
        {"arch", "(4)3c - 2p"},
        {"out", "somewhere"},
        {"beta", "100"},
        {"beta", "hard,0.5,hard"},
        {"unpool", "average"},
        {"decoder-top", "classes"},
        {"tied", "yes"},
        {"norm", "batch"},
        {"rec-layers", "layerwise"},
        {"lambda-l1", "1e-3"},
        {"dropout", "0.999"},
        {"dropout-conv", ".2"},
        {"noise", "3"},
        {"where-noise", "1"},
        {"checkpoint-every", "30s"},
        {"checkpoint-every", "1.5h"},
        {"checkpoint-every", "500"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(swwae_options_set(options, good[i][0], good[i][1]), SWWAE_OK);
        assert_string_equal(swwae_options_get(options, good[i][0]), good[i][1]);
        assert_true(options_given(options, good[i][0]));
    }
    assert_true(s->labels == 600 && s->validation == 0 && s->lambda_rec == 0.5);
    assert_true(s->lambda_m.count == 3 && s->lambda_m.value[1] == 0 && s->lambda_m.value[2] == 2);
    assert_true(s->beta.count == 3 && s->beta.value[0] == 0 && s->beta.value[1] == 0.5 &&
                s->beta.value[2] == 0);
    assert_int_equal(s->unpooling, UNPOOL_AVERAGE);
    assert_true(s->classes_top == 1 && s->tied == 1 && s->norm == 1);
    assert_int_equal(s->layers, LAYERS_LAYERWISE);
    assert_true(s->lambda_l1 == 1e-3 && s->dropout == 0.999 && s->dropout_conv == 0.2);
    assert_true(s->noise == 3 && s->where_noise == 1);
    assert_true(s->save_every.steps == 500 && s->save_every.seconds == 0);
    assert_int_equal(s->reduction, REDUCTION_NORM);
    assert_int_equal(s->output, OUTPUT_SIGMOID);
    assert_int_equal(s->optimizer, OPTIMIZER_SGD);
    assert_int_equal(s->schedule, SCHEDULE_STEP);
    assert_true(s->epochs == 1.5 && s->lr == 1e-4 && s->seed == INT64_MAX && s->batch == 65536);
    assert_int_equal(swwae_options_set(NULL, "lr", "1"), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_options_set(options, NULL, "1"), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_options_set(options, "lr", NULL), SWWAE_E_ARGUMENT);
    swwae_options_free(options);
}

static void test_refusals(void **state) {
    (void)state;
    swwae_options *options = fresh();
    refuses(options, "lambda-rec", "abc",
            "option --lambda-rec: \"abc\" found, expected a number of at least 0");
    refuses(options, "lambda-rec", "-1",
            "option --lambda-rec: \"-1\" found, expected a number of at least 0");
    static const char *const never[] = {"0", "-1", "0s", "m", "5d", "1.5", "s5", "5 m", "nans", ""};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        char sentence[160];
        snprintf(
            sentence, sizeof sentence,
            "option --checkpoint-every: \"%s\" found, expected a whole number of steps from 1, "
            "or a time above 0 such as 30s, 5m, 1h",
            never[i]);
        refuses(options, "checkpoint-every", never[i], sentence);
    }
    refuses(options, "lambda-rec", "nan",
            "option --lambda-rec: \"nan\" found, expected a number of at least 0");
    refuses(options, "lambda-rec", "inf",
            "option --lambda-rec: \"inf\" found, expected a number of at least 0");
    refuses(options, "lambda-rec", "1e999",
            "option --lambda-rec: \"1e999\" found, expected a number of at least 0");
    refuses(options, "lambda-rec", "0x1",
            "option --lambda-rec: \"0x1\" found, expected a number of at least 0");
    refuses(options, "lambda-rec", " 1",
            "option --lambda-rec: \" 1\" found, expected a number of at least 0");
    refuses(options, "lambda-rec", "",
            "option --lambda-rec: \"\" found, expected a number of at least 0");
    refuses(options, "batch", "0",
            "option --batch: \"0\" found, expected a whole number from 1 to 65536");
    refuses(options, "batch", "1.5",
            "option --batch: \"1.5\" found, expected a whole number from 1 to 65536");
    refuses(options, "batch", "99999999999999999999",
            "option --batch: \"99999999999999999999\" found, expected a whole number from 1 to "
            "65536");
    refuses(options, "seed", "18446744073709551615",
            "option --seed: \"18446744073709551615\" found, expected a whole number from 0 to "
            "9223372036854775807");
    refuses(options, "", "1", "an option without a name found; `swwae train --help` lists all");
    refuses(options, "labels", "0",
            "option --labels: \"0\" found, expected all, none or a whole number of at least 1");
    refuses(options, "validation", "few",
            "option --validation: \"few\" found, expected auto or a whole number of at least 0");
    refuses(options, "labelled-share", "1",
            "option --labelled-share: \"1\" found, expected a number above 0 and below 1");
    refuses(options, "momentum", "1",
            "option --momentum: \"1\" found, expected a number of at least 0 and below 1");
    refuses(options, "lr", "0", "option --lr: \"0\" found, expected a number above 0");
    refuses(options, "threads", "257",
            "option --threads: \"257\" found, expected a whole number from 0 to 256");
    refuses(options, "reduction", "median",
            "option --reduction: \"median\" found, expected mean|sum|norm");
    refuses(options, "reduction", "mean|sum",
            "option --reduction: \"mean|sum\" found, expected mean|sum|norm");
    refuses(options, "lambda-m", "1,,2",
            "option --lambda-m: \"1,,2\" found, expected a number of at least 0, or one for each "
            "inner boundary with commas between them");
    refuses(options, "lambda-m", "hard",
            "option --lambda-m: \"hard\" found, expected a number of at least 0, or one for each "
            "inner boundary with commas between them");
    const char *const betas[] = {"0",  "",    "soft", "hard,", "1,0",
                                 "-1", "1e7", "nan",  "inf",   "hard 1"};
    for (size_t i = 0; i < sizeof betas / sizeof *betas; i++) {
        char sentence[256];
        snprintf(
            sentence, sizeof sentence,
            "option --beta: \"%s\" found, expected hard or a number above 0 and at most 1e+06, "
            "or one for each stage with commas between them",
            betas[i]);
        refuses(options, "beta", betas[i], sentence);
    }
    refuses(options, "dropout", "1",
            "option --dropout: \"1\" found, expected a number of at least 0 and below 1");
    refuses(options, "dropout-conv", "-0.1",
            "option --dropout-conv: \"-0.1\" found, expected a number of at least 0 and below 1");
    refuses(options, "where-noise", "1.1",
            "option --where-noise: \"1.1\" found, expected a number from 0 to 1");
    refuses(options, "noise", "-1",
            "option --noise: \"-1\" found, expected a number of at least 0");
    refuses(options, "tied", "true", "option --tied: \"true\" found, expected no|yes");
    refuses(options, "norm", "layer", "option --norm: \"layer\" found, expected none|batch|pooled");
    refuses(options, "decoder-top", "top",
            "option --decoder-top: \"top\" found, expected features|classes");
    refuses(options, "data", "", "option --data: nothing found, expected NAME|DIR");
    assert_int_equal(swwae_options_set(options, "arch", "(64)4c-2p"), SWWAE_E_NOTATION);
    assert_non_null(strstr(swwae_last_error(), "option --arch: architecture \"(64)4c-2p\""));
    char name[700];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    refuses(options, "out", name, "option --out: a text of 699 bytes found, expected at most 511");
    assert_int_equal(swwae_options_set(options, "lambda-m", "1,1,1,1,1,1,1,1,1,1,1,1,1"),
                     SWWAE_E_ARGUMENT);
    swwae_options_free(options);
}

/* A recipe fills what was not given, whether that comes before or after it, and takes it back. */
static void test_recipe(void **state) {
    (void)state;
    swwae_options *options = fresh();
    const struct settings *s = &options->settings;
    assert_int_equal(swwae_options_set(options, "dropout", "0.1"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "recipe", "plus"), SWWAE_OK);
    assert_true(s->dropout == 0.1 && s->augment != 0 && s->average > 0 && s->pseudo_labels > 0);
    assert_false(options_given(options, "augment"));
    assert_string_not_equal(swwae_options_get(options, "augment"), "none");
    assert_int_equal(swwae_options_set(options, "average", "0"), SWWAE_OK);
    assert_true(s->average == 0 && s->pseudo_labels > 0);
    assert_int_equal(swwae_options_set(options, "recipe", "plain"), SWWAE_OK);
    assert_true(s->dropout == 0.1 && s->augment == 0 && s->average == 0 && s->pseudo_labels == 0);
    assert_string_equal(swwae_options_get(options, "augment"), "none");
    assert_int_equal(swwae_options_set(options, "recipe", "photo"), SWWAE_OK);
    assert_true(s->dropout == 0.1 && s->average == 0 && s->pseudo_labels > 0);
    assert_string_equal(swwae_options_get(options, "augment"), "shift,mirror,colour,erase");
    assert_int_equal(swwae_options_set(options, "recipe", "none"), SWWAE_OK);
    for (size_t i = 0; swwae_option_info_at(i); i++) {
        const swwae_option_info *info = swwae_option_info_at(i);
        if (!options_given(options, info->name))
            assert_string_equal(swwae_options_get(options, info->name), info->fallback);
    }
    refuses(options, "recipe", "minus",
            "option --recipe: \"minus\" found, expected auto|none|full|plain|plus|photo");
    swwae_options_free(options);
}

/* The default recipe is plus for few labels that classes can be learned from, full for many. */
static void test_recipe_auto(void **state) {
    (void)state;
    swwae_options *options = fresh();
    const struct settings *s = &options->settings;
    static const struct {
        const char *name, *other, *back;
        int recipe; /* with the other value */
    } off[] = {{"labels", "all", "100", RECIPE_FULL},
               {"labels", "10001", "10000", RECIPE_FULL},
               {"labels", "none", "100", RECIPE_NONE},
               {"recipe", "none", "auto", RECIPE_NONE},
               {"lambda-nll", "0", "1", RECIPE_NONE},
               {"init-from", "runs/other", "none", RECIPE_NONE},
               {"arch", "(4)3c-2p", "(4)3c-2p-10fc", RECIPE_NONE}};
    assert_string_equal(swwae_options_get(options, "recipe"), "auto");
    assert_true(s->augment == 0 && s->pseudo_labels == 0 && s->steps == 0);
    assert_true(s->norm == NORM_POOLED && s->average > 0 && s->dropout == 0);
    assert_int_equal(swwae_options_set(options, "lr", "0.5"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "labels", "100"), SWWAE_OK);
    assert_true(options_recipe(options) == RECIPE_PLUS && !options_given(options, "augment"));
    assert_true(s->augment != 0 && s->pseudo_labels > 0 && s->steps > 0 && s->lr == 0.5);
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        assert_int_equal(swwae_options_set(options, off[i].name, off[i].other), SWWAE_OK);
        assert_int_equal(options_recipe(options), off[i].recipe);
        assert_true(s->augment == 0 && s->pseudo_labels == 0 && s->lr == 0.5);
        assert_true(s->norm == (off[i].recipe == RECIPE_FULL ? NORM_POOLED : NORM_NONE));
        assert_int_equal(swwae_options_set(options, off[i].name, off[i].back), SWWAE_OK);
        assert_true(options_recipe(options) == RECIPE_PLUS && s->augment != 0);
    }
    assert_true(s->norm == NORM_POOLED);
    assert_int_equal(swwae_options_set(options, "beta", "hard,20"), SWWAE_OK);
    assert_true(s->norm == NORM_BATCH);
    assert_int_equal(swwae_options_set(options, "labels", "all"), SWWAE_OK);
    assert_true(options_recipe(options) == RECIPE_FULL && s->norm == NORM_BATCH);
    assert_int_equal(swwae_options_set(options, "label-file", "draw.csv"), SWWAE_OK);
    assert_true(options_recipe(options) == RECIPE_PLUS && s->pseudo_labels > 0);
    assert_int_equal(swwae_options_set(options, "labels", "20000"), SWWAE_OK); /* counted */
    assert_int_equal(options_recipe(options), RECIPE_FULL);
    assert_int_equal(options_know_data(options, 0, true), SWWAE_OK);
    assert_int_equal(options_recipe(options), RECIPE_FULL);
    assert_int_equal(swwae_options_set(options, "labels", "10000"), SWWAE_OK);
    assert_true(options_recipe(options) == RECIPE_PHOTO && s->steps == 10000);
    assert_int_equal(swwae_options_set(options, "lambda-nll", "0"), SWWAE_OK);
    assert_int_equal(options_recipe(options), RECIPE_NONE);
    swwae_options_free(options);
}

/* A recipe's steps do not stand against epochs that are asked for. */
static void test_recipe_epochs(void **state) {
    (void)state;
    for (int before = 0; before < 2; before++) {
        swwae_options *options = fresh();
        const struct settings *s = &options->settings;
        if (before) assert_int_equal(swwae_options_set(options, "epochs", "2"), SWWAE_OK);
        assert_int_equal(swwae_options_set(options, "recipe", "photo"), SWWAE_OK);
        assert_true(before ? s->steps == 0 : s->steps > 0);
        if (!before) assert_int_equal(swwae_options_set(options, "epochs", "2"), SWWAE_OK);
        assert_true(s->steps == 0 && s->epochs == 2 && s->augment != 0);
        assert_int_equal(swwae_options_set(options, "steps", "7"), SWWAE_OK);
        assert_true(s->steps == 7);
        swwae_options_free(options);
    }
}

static void test_unknown(void **state) {
    (void)state;
    swwae_options *options = fresh();
    assert_int_equal(swwae_options_set(options, "lamda-rec", "1"), SWWAE_E_ARGUMENT);
    assert_string_equal(swwae_last_error(),
                        "unknown option --lamda-rec; did you mean --lambda-rec?");
    assert_int_equal(swwae_options_set(options, "epoch", "1"), SWWAE_E_ARGUMENT);
    assert_string_equal(swwae_last_error(), "unknown option --epoch; did you mean --epochs?");
    assert_int_equal(swwae_options_set(options, "frobnicate", "1"), SWWAE_E_ARGUMENT);
    assert_string_equal(swwae_last_error(),
                        "unknown option --frobnicate; `swwae train --help` lists all");
    char name[300];
    memset(name, 'e', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(swwae_options_set(options, name, "1"), SWWAE_E_ARGUMENT);
    swwae_options_free(options);
}

static swwae_status load(swwae_options *options, const char *json) {
    return swwae_options_load(options, temporary_write("config.json", json, strlen(json)));
}

static void test_load(void **state) {
    (void)state;
    swwae_options *options = fresh();
    assert_int_equal(load(options, "{\"lr\": 0.01, \"epochs\": 3, \"labels\": \"all\", "
                                   "\"lambda-m\": \"1,0.5\", \"batch\": \"32\"}"),
                     SWWAE_OK);
    assert_true(options->settings.lr == 0.01 && options->settings.epochs == 3);
    assert_true(options->settings.batch == 32 && options->settings.lambda_m.value[1] == 0.5);
    assert_true(options_given(options, "lr") && !options_given(options, "seed"));

    /* all or nothing */
    assert_int_equal(load(options, "{\"lr\": 0.5, \"lamda-rec\": 1}"), SWWAE_E_ARGUMENT);
    assert_non_null(strstr(swwae_last_error(), "config.json: unknown option --lamda-rec; did you "
                                               "mean --lambda-rec?"));
    assert_true(options->settings.lr == 0.01);
    assert_int_equal(load(options, "{\"lr\": [1]}"), SWWAE_E_FORMAT);
    assert_non_null(strstr(swwae_last_error(), "config.json: option --lr: an array found"));
    assert_int_equal(load(options, "{\"lr\": true}"), SWWAE_E_FORMAT);
    assert_int_equal(load(options, "{\"lr\": -1}"), SWWAE_E_ARGUMENT);
    assert_non_null(strstr(swwae_last_error(), "config.json: option --lr: \"-1\" found"));
    assert_int_equal(load(options, "{\"lr\": 1, \"lr\": 2}"), SWWAE_E_FORMAT);
    assert_int_equal(load(options, "[1]"), SWWAE_E_FORMAT);
    assert_int_equal(load(options, "{\"lr\": "), SWWAE_E_FORMAT);
    assert_int_equal(load(options, ""), SWWAE_E_FORMAT);
    assert_int_equal(swwae_options_load(options, temporary_path("missing.json")), SWWAE_E_IO);
    swwae_options_free(options);
}

static void test_json(void **state) {
    (void)state;
    swwae_options *options = fresh(), *back = fresh();
    assert_int_equal(swwae_options_set(options, "lr", "0.1"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "labels", "100"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "lambda-m", "1,0.25"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "beta", "hard,100"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "tied", "yes"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "data", "a \"quoted\" \\ folder"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "seed", "9007199254740993"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "out", "123"), SWWAE_OK);
    char *json, *again, *brief;
    assert_int_equal(options_json(&json, options, true), SWWAE_OK);
    assert_non_null(strstr(json, "\"lr\": 0.1,"));
    assert_non_null(strstr(json, "\"labels\": 100,"));
    assert_non_null(strstr(json, "\"lambda-m\": \"1,0.25\""));
    assert_non_null(strstr(json, "\"beta\": \"hard,100\""));
    assert_non_null(strstr(json, "\"tied\": \"yes\""));
    assert_non_null(strstr(json, "\"seed\": 9007199254740993,"));
    assert_non_null(strstr(json, "\"out\": \"123\""));
    assert_int_equal(load(back, json), SWWAE_OK);
    assert_string_equal(back->settings.data, "a \"quoted\" \\ folder");
    assert_memory_equal(&back->settings, &options->settings, sizeof back->settings);
    assert_int_equal(options_json(&again, back, true), SWWAE_OK);
    assert_string_equal(json, again);
    assert_int_equal(options_json(&brief, options, false), SWWAE_OK);
    assert_null(strstr(brief, "\"out\""));
    assert_null(strstr(brief, "\"threads\""));
    assert_int_equal(swwae_options_set(back, "data", "latin-\xe9"), SWWAE_OK);
    free(again);
    assert_int_equal(options_json(&again, back, true), SWWAE_E_ARGUMENT);
    free(json);
    free(brief);
    swwae_options_free(options);
    swwae_options_free(back);
}

static void test_numbers(void **state) {
    (void)state;
    const double values[] = {0, 0.1, 1.0 / 3, 1e-300, 5e-324, 1.7976931348623157e308, -2.5, 12345};
    char text[NUMBER_TEXT];
    double back;
    /* a comma as decimal sign must not matter; where the machine has such a locale */
    const char *comma = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        number_print(text, values[i]);
        assert_true(number_parse(&back, text) && back == values[i]);
        assert_null(strchr(text, ','));
    }
    number_print(text, 0.1);
    assert_string_equal(text, "0.1");
    number_print(text, strtod("nan", NULL));
    assert_string_equal(text, "");
    double list[3];
    int count;
    assert_true(number_parse_list(list, &count, 3, "1,0,2.5", NULL) && count == 3 &&
                list[2] == 2.5);
    assert_true(number_parse_list(list, &count, 3, "1e-7,hard,0.1", "hard") && list[1] == 0);
    char many[3 * NUMBER_TEXT];
    number_print_list(many, list, 3, "hard");
    assert_string_equal(many, "1e-07,hard,0.1");
    const char *const lists[] = {"", ",", "1,", ",1", "1,,2", "1,2,3,4", "0", "soft", "1 ,2"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        assert_false(number_parse_list(list, &count, 3, lists[i], "hard"));
    const char *const bad[] = {"", "-", "+", ".", "e5", "1e", "1.2.3", "1,5", "0x10", "1 ", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(number_parse(&back, bad[i]));
    if (comma) setlocale(LC_NUMERIC, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_set),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_recipe_auto), cmocka_unit_test(test_recipe_epochs),
        cmocka_unit_test(test_unknown),     cmocka_unit_test(test_load),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
