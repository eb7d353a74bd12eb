/* test_study.c - the studies on small synthetic data: their files and findings, going on after
 * interruptions, refusals, and the linear map. */
#include "study_data.h"

#include "data/dataset.h"
#include "study/linear.h"
#include "study/study.h"
#include "study/table.h"

static int prepare(void **state) {
    if (temporary_make(state)) return -1;
    temporary_subfolder("empty");
    small_split_data();
    return 0;
}

/* ---- Running ----------------------------------------------------------------------------- */

/* What the callback saw, and when it stops. */
struct events {
    int stop_after; /* reports; 0: never */
    int calls, trainings, plots_missing;
    char last[512];
};

static int listen(const swwae_progress *event, void *user) {
    struct events *events = user;
    events->calls++;
    if (event->message) {
        assert_null(strstr(event->message, "run folder"));
        events->trainings += strncmp(event->message, "training ", 9) == 0;
        events->plots_missing += strstr(event->message, "install gnuplot-nox") != NULL;
        snprintf(events->last, sizeof events->last, "%s", event->message);
    }
    return events->stop_after && events->calls >= events->stop_after;
}

/* name, value, ..., NULL */
static swwae_options *options_with(const char *name, ...) {
    swwae_options *options;
    va_list pairs;
    well(swwae_options_create(&options));
    well(swwae_options_set(options, "data", temporary_path("shapes-small")));
    well(swwae_options_set(options, "threads", "1"));
    va_start(pairs, name);
    for (; name; name = va_arg(pairs, const char *))
        well(swwae_options_set(options, name, va_arg(pairs, const char *)));
    va_end(pairs);
    return options;
}

static swwae_options *where_options(void) {
    return options_with("arch", "(4)5c-(2)3c-2p", "epochs", "5", "batch", "4", "lr", "0.01",
                        "validation", "40", NULL);
}

static swwae_status study(struct events *events, swwae_options *options, const char *name,
                          const char *folder) {
    const swwae_study_settings settings = {
        .seeds = 1, .quick = true, .folder = temporary_path(folder)};
    return swwae_study(name, options, &settings, listen, events);
}

static swwae_status study_in(const char *name, swwae_options *options, int seeds, bool quick,
                             const char *folder) {
    const swwae_study_settings settings = {.seeds = seeds, .quick = quick, .folder = folder};
    return swwae_study(name, options, &settings, NULL, NULL);
}

static bool there(const char *folder, const char *file) {
    char name[128];
    snprintf(name, sizeof name, "%s/%s", folder, file);
    return access(temporary_path(name), F_OK) == 0;
}

static bool gnuplot(void) { return system("gnuplot --version >/dev/null 2>&1") == 0; }

static void has_files(const char *folder, const char *const *files) {
    for (; *files; files++)
        if (!there(folder, *files)) fail_msg("%s/%s is missing", folder, *files);
}

/* A page and its plots' scripts can be moved: no path of this machine in them. */
static void no_paths(const char *folder, const char *file) {
    size_t size;
    char *text = file_of(folder, file, &size);
    if (strstr(text, temporary_folder)) fail_msg("%s/%s holds an absolute path", folder, file);
    free(text);
}

/* ---- where ------------------------------------------------------------------------------- */

/* Unpooling is better than upsampling from X = 4 on. Not at X = 2: after trainings of seconds,
 * copying a value to four cells is as good a guess for sprites of one brightness as a place for it
 * is. */
static void test_where(void **state) {
    (void)state;
    static const char *const files[] = {"study.json", "study.md",  "results.csv", "summary.csv",
                                        "curve.csv",  "curve.dat", "where.png",   "bars.gp",
                                        "curve.gp",   NULL};
    static const char *const plots[] = {"bars.png",        "bars.svg",        "curve.png",
                                        "where-named.png", "where-named.svg", NULL};
    struct events events = {0};
    struct table table;
    swwae_options *options = where_options();
    well(study(&events, options, "where", "where"));
    assert_int_equal(events.trainings, 8);
    has_files("where", files);
    if (gnuplot()) has_files("where", plots);
    assert_int_equal(events.plots_missing, !gnuplot());
    no_paths("where", "study.md");
    no_paths("where", "bars.gp");
    well(table_read(&table, temporary_path("where/summary.csv")));
    assert_int_equal(table.rows, 4);
    for (long r = 0; r < 4; r++) {
        const double own = table_cell(&table, r, "switches_rec");
        const double none = table_cell(&table, r, "upsample_rec");
        const double factor = r == 0 ? 0 : r == 1 ? 1 : 1.3;
        if (!(own > 0) || !(none > factor * own))
            fail_msg("X = %g: %g with the where, %g without, expected a factor above %g",
                     table_cell(&table, r, "X"), own, none, factor);
    }
    table_free(&table);
    /* again: nothing is trained, and the same comes out */
    size_t size;
    char *before = file_of("where", "results.csv", &size), *after;
    events = (struct events){0};
    well(study(&events, options, "where", "where"));
    assert_int_equal(events.trainings, 0);
    after = file_of("where", "results.csv", &size);
    assert_string_equal(before, after);
    free(before);
    free(after);
    swwae_options_free(options);
}

/* results.csv without its last column, the seconds. */
static char *results_of(const char *folder) {
    size_t size;
    char *text = file_of(folder, "results.csv", &size), *to = text, *comma = NULL;
    for (const char *at = text; *at; at++) {
        if (*at == '\n') to = comma;
        if (*at == ',') comma = to;
        *to++ = *at;
    }
    *to = 0;
    return text;
}

/* Stopped again and again, the study comes to what it comes to in one go (test_where). */
static void test_where_interrupted(void **state) {
    (void)state;
    swwae_options *options = where_options();
    swwae_status status = SWWAE_E_INTERRUPTED;
    int calls = 0;
    for (; status == SWWAE_E_INTERRUPTED && calls < 60; calls++) {
        /* later and later: the slower the machine, the more reports a training has */
        struct events events = {.stop_after = 7 + 3 * calls};
        status = study(&events, options, "where", "parts");
        if (status == SWWAE_E_INTERRUPTED)
            assert_non_null(strstr(swwae_last_error(), "run the study again"));
    }
    well(status);
    assert_true(calls > 3);
    char *whole = results_of("where"), *parts = results_of("parts");
    assert_string_equal(whole, parts);
    free(whole);
    free(parts);
    same_file("where", "parts", "summary.csv");
    same_file("where", "parts", "curve.csv");
    swwae_options_free(options);
}

static void test_refused(void **state) {
    (void)state;
    swwae_options *options = where_options();
    const char *folder = temporary_path("where");
    says(study_in("wher", options, 0, true, folder), SWWAE_E_ARGUMENT,
         "there is no study \"wher\", expected one of where, equivariance, mnist, lambda, "
         "ablation");
    says(study_in("where", options, 1001, true, folder), SWWAE_E_ARGUMENT, "1001 seeds found");
    says(study_in("where", NULL, 0, true, folder), SWWAE_E_ARGUMENT, "NULL");
    says(study_in("where", options, 1, false, folder), SWWAE_E_ARGUMENT,
         "holds a quick study; add --quick");
    says(study_in("equivariance", options, 1, true, folder), SWWAE_E_ARGUMENT,
         "holds the study where");
    well(swwae_options_set(options, "lr", "0.02"));
    says(study_in("where", options, 1, true, folder), SWWAE_E_ARGUMENT,
         "holds this study with --lr 0.01, now it is 0.02; repeat the options");
    well(swwae_options_set(options, "unpool", "fixed"));
    says(study_in("where", options, 1, true, folder), SWWAE_E_ARGUMENT,
         "option --unpool: \"fixed\" found, but the study where sets it itself");
    swwae_options_free(options);
    options = options_with("out", "elsewhere", NULL);
    says(study_in("where", options, 1, true, folder), SWWAE_E_ARGUMENT, "option --out");
    swwae_options_free(options);
    options = options_with("lambda-rec", "0", NULL);
    says(study_in("where", options, 1, true, folder), SWWAE_E_ARGUMENT,
         "option --lambda-rec: 0 found");
    swwae_options_free(options);
    const swwae_study_info *info;
    size_t count = 0;
    while ((info = swwae_study_info_at(count))) {
        assert_true(*info->name && *info->help && *info->about);
        count++;
    }
    assert_int_equal(count, 5);
}

/* ---- equivariance ------------------------------------------------------------------------ */

/* scores.csv or readout.csv: the numbers after a row's first cells. */
static void row_of(double *numbers, int count, const char *folder, const char *file,
                   const char *start) {
    char path[128], *text;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    well(file_read(temporary_path(path), 1 << 20, &text, &size));
    const char *found = strstr(text, start);
    assert_non_null(found);
    char *end = text + (found - text) + strlen(start) - 1;
    for (int i = 0; i < count; i++) {
        numbers[i] = strtod(end + 1, &end);
        assert_true(*end == ',' || *end == '\n');
    }
    free(text);
}

/* The slope along the shift is near 1 and more than ten times the one across. That holds for the
 * mean over units; a single unit may jump, where two places of the image excite it nearly alike, so
 * the mean size of the changes along is only a few times that across. */
static void check_net(const char *net) {
    for (int axis = 0; axis < 2; axis++) {
        char start[64];
        double numbers[8];
        snprintf(start, sizeof start, "\n%s,1,1,%s,", net, axis ? "y" : "x");
        row_of(numbers, 8, "equivariance", "scores.csv", start);
        if (fabs(numbers[0]) <= 10 * fabs(numbers[1]) || fabs(numbers[0] - 1) > 0.15 ||
            numbers[3] < 1.5)
            fail_msg("%s: slope %g along, %g across, sizes %g to 1", start + 1, numbers[0],
                     numbers[1], numbers[3]);
        assert_true(numbers[6] > 0.8); /* the what hardly changes */
    }
}

static void test_equivariance(void **state) {
    (void)state;
    static const char *const files[] = {
        "study.json",       "study.md",        "scores.csv",           "readout.csv", "shift.dat",
        "scatter-soft.dat", "scatter-hard.gp", "scatter-untrained.gp", NULL};
    static const char *const plots[] = {
        "shift.png",        "scatter-soft.svg",      "scatter-soft.png",
        "scatter-hard.png", "scatter-untrained.png", NULL};
    struct events events = {0};
    swwae_options *options = options_with("arch", "(8)5c-2p-(12)3c-16p", "epochs", "2", "batch",
                                          "8", "lr", "0.005", "validation", "40", NULL);
    well(study(&events, options, "equivariance", "equivariance"));
    assert_int_equal(events.trainings, 2);
    has_files("equivariance", files);
    if (gnuplot()) has_files("equivariance", plots);
    no_paths("equivariance", "study.md");
    no_paths("equivariance", "shift.gp");
    check_net("soft");
    check_net("hard");
    double what[2], where[2], nothing[2];
    row_of(what, 2, "equivariance", "readout.csv", "\nsoft,1,what,");
    row_of(where, 2, "equivariance", "readout.csv", "\nsoft,1,where,");
    row_of(nothing, 2, "equivariance", "readout.csv", "\nsoft,1,nothing,");
    assert_true(where[0] < 0.3 * what[0]); /* the position stands in the where */
    assert_true(what[1] > 2 * nothing[1]); /* the class can be told from the what */
    swwae_options_free(options);
}

/* Without gnuplot the study succeeds and says once what is missing. */
static void test_no_gnuplot(void **state) {
    (void)state;
    char path[4096];
    struct events events = {0};
    swwae_options *options = options_with("arch", "(2)3c-2p-(2)3c-16p", "steps", "1", "batch", "8",
                                          "validation", "40", NULL);
    snprintf(path, sizeof path, "%s", getenv("PATH") ? getenv("PATH") : "");
    setenv("PATH", temporary_path("empty"), 1);
    swwae_status status = study(&events, options, "equivariance", "plain");
    setenv("PATH", path, 1);
    well(status);
    assert_int_equal(events.plots_missing, 1);
    assert_true(there("plain", "shift.gp") && !there("plain", "shift.png"));
    size_t size;
    char *text = file_of("plain", "study.md", &size);
    assert_null(strstr(text, ".png"));
    free(text);
    swwae_options_free(options);
}

/* ---- The order of images ------------------------------------------------------------------ */

/* Of class folders the first images are from all classes, and have a label. */
static void test_order(void **state) {
    (void)state;
    enum { N = 300 };
    struct swwae_dataset *d;
    well(dataset_allocate(&d, N, 1, 1, 1, 3, 1));
    for (int i = 0; i < N; i++) d->labels[i] = i / 90 < 3 ? i / 90 : -1;
    uint32_t *order;
    size_t count;
    for (int folders = 0; folders < 2; folders++) {
        if (folders) d->folder = strdup("photos");
        well(study_order(&order, &count, d));
        assert_int_equal(count, 270);
        int seen[N] = {0}, classes[3] = {0};
        for (size_t i = 0; i < count; i++) {
            assert_true(folders || order[i] == i);
            assert_int_equal(seen[order[i]]++, 0);
            if (i < 90) classes[d->labels[order[i]]]++;
        }
        for (int k = 0; k < 3 && folders; k++) assert_in_range(classes[k], 15, 45);
        free(order);
    }
    swwae_dataset_free(d);
}

/* ---- The linear map ---------------------------------------------------------------------- */

/* A map that is linear is found again; a feature that never changes and one that repeats another
 * do no harm. */
static void test_linear(void **state) {
    (void)state;
    enum { N = 200, F = 4, T = 2 };
    float x[N * F], y[N * T];
    struct linear linear;
    for (int i = 0; i < N; i++) {
        x[i * F] = (float)(i % 7) - 3;
        x[i * F + 1] = 0.1F * (float)(i % 11);
        x[i * F + 2] = x[i * F];
        x[i * F + 3] = 5;
        y[i * T] = 2 * x[i * F] - x[i * F + 1] + 3;
        y[i * T + 1] = 0.5F * x[i * F + 1] - 1;
    }
    well(linear_fit(&linear, x, y, N, F, T, 1e-9));
    for (int i = 0; i < N; i++) {
        double out[T];
        linear_apply(out, &linear, x + (ptrdiff_t)i * F);
        for (int t = 0; t < T; t++) /* the ridge moves weights by 1e-9, floats round by 1e-7 */
            assert_true(fabs(out[t] - (double)y[i * T + t]) < 1e-5);
    }
    assert_true(linear.weights[3 * T] == 0);
    linear_free(&linear);
    x[0] = NAN;
    assert_int_equal(linear_fit(&linear, x, y, N, F, T, 1e-9), SWWAE_E_NUMERIC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_linear),
        cmocka_unit_test(test_where),      cmocka_unit_test(test_where_interrupted),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_equivariance),
        cmocka_unit_test(test_no_gnuplot),
    };
    return cmocka_run_group_tests(tests, prepare, temporary_remove);
}
