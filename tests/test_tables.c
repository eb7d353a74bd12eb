/* test_tables.c - tables of errors against numbers of labels: their trainings side by side,
 * choices, differences draw by draw, rows that begin with others, refusals. */
#include "tables.h"

#include "study/paired.h"
#include "train/model.h"

/* ---- Reading --------------------------------------------------------------------------------- */

/* Test errors of the rows of results.csv that begin with `start`. */
static int errors_of(double *errors, const char *folder, const char *start) {
    char *text = results_of(folder);
    int count = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, start, strlen(start)) == 0) {
            int seed, used;
            assert_int_equal(sscanf(line + strlen(start), "%d,%n", &seed, &used), 1);
            errors[count++] = strtod(line + strlen(start) + used, NULL);
        }
    free(text);
    return count;
}

static char *line_of(const char *folder, const char *file, const char *start) {
    size_t size;
    char *text = file_of(folder, file, &size), *found = NULL;
    for (char *line = strtok(text, "\n"); line && !found; line = strtok(NULL, "\n"))
        if (strncmp(line, start, strlen(start)) == 0) found = strdup(line);
    free(text);
    if (!found) fail_msg("%s/%s has no line that begins with %s", folder, file, start);
    return found;
}

/* ---- The whole ---------------------------------------------------------------------------- */

/* convnet: 3 candidates on one draw, the chosen on two more, at each of two numbers of labels;
 * no-l2m: the choice of swwae-dropout (5 trainings, with all labels the 2 that differ), then 3. */
static void test_table(void **state) {
    (void)state;
    struct events events = {.most_left = NAN};
    well(table_study(&events, "mnist", "convnet,no-l2m", "20,all", 2, "table"));
    assert_int_equal(events.trainings, 5 + 5 + 3 + 5 + 2 + 3);
    assert_true(events.most_left > 0);
    /* what the choices decide on was expected to take what it took */
    assert_in_range(events.whole, events.trainings - 2, events.trainings); /* 2 are measured last */
    static const char *const files[] = {"study.json", "study.md",   "results.csv", "summary.csv",
                                        "choice.csv", "errors.dat", "errors.gp"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t size;
        char *text = file_of("table", files[i], &size);
        if (strcmp(files[i], "study.json") != 0 && strstr(text, temporary_folder))
            fail_msg("%s holds an absolute path", files[i]);
        free(text);
    }
    /* every row of a draw has the same labels */
    same_file("table/runs/convnet-20-c0-seed1", "table/runs/swwae-dropout-20-c1-seed1",
              "labels.json");
    /* again: nothing is trained; one after the other: the same */
    events = (struct events){0};
    well(table_study(&events, "mnist", "convnet,no-l2m", "20,all", 2, "table"));
    assert_int_equal(events.trainings, 0);
    well(table_study(NULL, "mnist", "convnet,no-l2m", "20,all", 1, "one"));
    same_results("table", "one");
    same_file("table", "one", "choice.csv");
}

/* What a choice decides on is listed once that choice is made, not once all are: both further draws
 * of the row whose choice comes first stand before those of the other. One training at a time, so
 * that the order is always the same. */
static void test_no_waiting(void **state) {
    (void)state;
    struct events events = {0};
    well(table_study(&events, "mnist", "convnet,swwae-dropout", "20", 1, "busy"));
    assert_int_equal(events.trainings, 3 + 2 + 5 + 2);
    assert_string_equal(events.later, "2323");
}

/* A call that asks for other numbers of labels shows those of earlier ones too. */
static void test_counts_kept(void **state) {
    (void)state;
    struct events events = {0};
    well(table_study(&events, "mnist", "convnet", "30", 2, "table"));
    assert_int_equal(events.trainings, 3 + 2);
    free(line_of("table", "summary.csv", "convnet,30,3,"));
    free(line_of("table", "summary.csv", "convnet,all,3,"));
    free(line_of("table", "choice.csv", "swwae-dropout,20,"));
}

/* The candidate of the lowest validation error is the chosen one. */
static void test_choice(void **state) {
    (void)state;
    double lowest = INFINITY, chosen = NAN;
    for (int k = 0; k < 3; k++) {
        char start[64];
        snprintf(start, sizeof start, "convnet,20,%d,\"dropout=", k);
        char *line = line_of("table", "choice.csv", start);
        char *comma = strrchr(line, ',');
        const bool yes = strcmp(comma, ",yes") == 0;
        *comma = 0;
        const double error = strtod(strrchr(line, ',') + 1, NULL);
        if (yes) {
            assert_true(isnan(chosen));
            chosen = error;
        }
        lowest = fmin(lowest, error);
        free(line);
    }
    assert_true(chosen == lowest);
}

/* summary.csv: the difference to the convnet over the same draws. */
static void test_difference(void **state) {
    (void)state;
    double own[3 * SEEDS], other[3 * SEEDS];
    char start[64];
    int chosen = -1, count = 0;
    for (int k = 0; k < 3; k++) {
        snprintf(start, sizeof start, "convnet,20,%d,", k);
        count = errors_of(other, "table", start);
        if (count == SEEDS) {
            chosen = k;
            break;
        }
    }
    assert_true(chosen >= 0);
    assert_int_equal(errors_of(own, "table", "no-l2m,20,0,"), SEEDS);
    const struct paired expected = paired_difference(own, other, SEEDS);
    char *line = line_of("table", "summary.csv", "no-l2m,20,");
    double number[12] = {0};
    char *at = strchr(strchr(line, ',') + 1, ',') + 1;
    for (int i = 0; i < 9; i++) { /* draws, error, std, paper twice, the difference, ... */
        number[i] = strtod(at, NULL);
        at = strchr(at, ',') + 1;
    }
    assert_int_equal((int)number[0], SEEDS);
    assert_true(fabs(number[5] - expected.mean) < 1e-5 && fabs(number[6] - expected.half) < 1e-4);
    free(line);
}

/* ---- Rows that begin with another model, and recipes -------------------------------------- */

/* The parameters whose names begin with `start` are the same bits. */
static bool same_part(const char *a, const char *b, const char *start) {
    struct swwae_model *one, *other;
    bool same = true;
    well(swwae_model_load(&one, temporary_path(a)));
    well(swwae_model_load(&other, temporary_path(b)));
    for (size_t v = 0; v < one->network.view_count; v++) {
        const struct view *view = &one->network.view[v];
        if (strncmp(view->name, start, strlen(start)) != 0) continue;
        same = same && !memcmp(one->parameters + view->offset, other->parameters + view->offset,
                               view->size * sizeof *one->parameters);
    }
    swwae_model_free(one);
    swwae_model_free(other);
    return same;
}

static void test_pretrained(void **state) {
    (void)state;
    struct events events = {0};
    well(table_study(&events, "mnist", "frozen,fine-tuned", "20,50", 2, "begun"));
    assert_int_equal(events.trainings, SEEDS * (1 + 2 * 2)); /* one unsupervised a draw */
    assert_true(same_part("begun/runs/unsupervised-seed1", "begun/runs/frozen-50-seed1", "enc"));
    assert_false(same_part("begun/runs/unsupervised-seed1", "begun/runs/frozen-50-seed1", "cla"));
    assert_false(
        same_part("begun/runs/unsupervised-seed1", "begun/runs/fine-tuned-50-seed1", "enc"));
}

static void has_option(const char *run, const char *option) {
    size_t size;
    char *text = file_of(run, "config.json", &size);
    if (!strstr(text, option)) fail_msg("%s: config.json has no %s", run, option);
    free(text);
}

/* A recipe's settings, less what the row leaves out, in twice the study's steps unless those are
 * given; and the worth of the decoder, draw by draw. */
static void test_ablation(void **state) {
    (void)state;
    const char *rows = "no-average-convnet,no-average";
    double with[SEEDS], without[SEEDS];
    well(table_study(NULL, "ablation", rows, "20", 2, "ablation"));
    has_option("ablation/runs/no-average-20-seed1", "\"steps\": 12,");
    has_option("ablation/runs/no-average-20-seed1", "\"average\": 0,");
    has_option("ablation/runs/no-average-20-seed1", "\"augment\": \"affine");
    has_option("ablation/runs/no-average-convnet-20-seed1", "\"lambda-rec\": 0,");
    assert_int_equal(errors_of(with, "ablation", "no-average,20,0,"), SEEDS);
    assert_int_equal(errors_of(without, "ablation", "no-average-convnet,20,0,"), SEEDS);
    const struct paired worth = paired_difference(with, without, SEEDS);
    char *line = line_of("ablation", "summary.csv", "no-average,20,"), *at = line;
    for (int i = 0; i < 9; i++) at = strchr(at, ',') + 1; /* to_without */
    assert_true(fabs(strtod(at, NULL) - worth.mean) < 1e-5);
    free(line);
    free(line_of("ablation", "errors.dat", "6 ")); /* its place in the plot, from below */

    swwae_options *own;
    well(swwae_options_create(&own));
    well(swwae_options_set(own, "data", temporary_path("shapes-small")));
    well(swwae_options_set(own, "arch", "(1)1c-8p-10fc"));
    const swwae_study_settings settings = {.seeds = 1,
                                           .quick = true,
                                           .rows = "plus-convnet",
                                           .counts = "20",
                                           .folder = temporary_path("own-steps")};
    well(swwae_study("ablation", own, &settings, NULL, NULL));
    has_option("own-steps/runs/plus-convnet-20-seed1", "\"steps\": 300,");
    swwae_options_free(own);
}

/* ---- lambda, refusals, statistics --------------------------------------------------------- */

static void test_lambda(void **state) {
    (void)state;
    struct events events = {0};
    well(table_study(&events, "lambda", "lambda-0,lambda-1", "20", 2, "lambda"));
    assert_int_equal(events.trainings, 2 * SEEDS);
    /* the rows that are left out come later, beside the first ones */
    events = (struct events){0};
    well(table_study(&events, "lambda", NULL, "20", 2, "lambda"));
    assert_int_equal(events.trainings, 5 * SEEDS);
    size_t size;
    char *text = file_of("lambda", "errors.dat", &size);
    int points = 0;
    for (const char *at = text; (at = strchr(at, '?')); at++) points++; /* no figure of the paper */
    assert_int_equal(points, 7);
    free(text);
}

static void test_refused(void **state) {
    (void)state;
    says(table_study(NULL, "mnist", "convnet,nope", NULL, 1, "no"), SWWAE_E_ARGUMENT,
         "rows: \"nope\" found, expected some of convnet, ");
    says(table_study(NULL, "mnist", NULL, "20,0", 1, "no"), SWWAE_E_ARGUMENT,
         "counts: \"0\" found");
    says(table_study(NULL, "where", "x", NULL, 1, "no"), SWWAE_E_ARGUMENT,
         "the study where has no rows to choose from");
    says(table_study(NULL, "where", NULL, NULL, 2, "no"), SWWAE_E_ARGUMENT,
         "the study where has no trainings side by side");
    says(table_study(NULL, "mnist", NULL, NULL, 257, "no"), SWWAE_E_ARGUMENT, "257 jobs found");
    swwae_options *options = small_options();
    well(swwae_options_set(options, "validation", "0"));
    const swwae_study_settings settings = {
        .seeds = 1, .quick = true, .rows = "no-l2m", .folder = temporary_path("blind")};
    says(swwae_study("mnist", options, &settings, NULL, NULL), SWWAE_E_ARGUMENT,
         "option --validation: 0 found, but row no-l2m chooses its settings on validation images");
    swwae_options_free(options);
    /* a failure of one training ends the others, with its sentence */
    says(table_study(NULL, "mnist", "convnet", "4000", 2, "no"), SWWAE_E_DATA,
         "4000 labels need 400 images of each class");
    says(table_study(NULL, "mnist", "convnet", "25", 2, "no"), SWWAE_E_ARGUMENT,
         "counts: \"25\" found, but labels are shared equally by the 10 classes");
}

/* Against a table of Student's t, and an interval worked out by hand. */
static void test_paired(void **state) {
    (void)state;
    static const double t[][2] = {{1, 12.706}, {4, 2.776},  {9, 2.262},  {10, 2.228},
                                  {15, 2.131}, {30, 2.042}, {100, 1.984}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        assert_true(fabs(paired_t((int)t[i][0]) - t[i][1]) < 1e-3);
    const double a[] = {3, 5, 4, NAN, 7}, b[] = {2, 3, 3, 1, NAN};
    const struct paired found = paired_difference(a, b, 5); /* differences 1, 2, 1 */
    assert_int_equal(found.pairs, 3);
    assert_true(fabs(found.mean - 4.0 / 3) < 1e-12);
    assert_true(fabs(found.half - 4.3027 * sqrt(1.0 / 3) / sqrt(3)) < 1e-4);
    assert_true(isnan(paired_difference(a, b, 1).half));
    assert_true(isnan(paired_difference(a + 3, b + 3, 1).mean));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paired),      cmocka_unit_test(test_table),
        cmocka_unit_test(test_choice),      cmocka_unit_test(test_difference),
        cmocka_unit_test(test_pretrained),  cmocka_unit_test(test_ablation),
        cmocka_unit_test(test_lambda),      cmocka_unit_test(test_no_waiting),
        cmocka_unit_test(test_counts_kept), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, prepare, temporary_remove);
}
