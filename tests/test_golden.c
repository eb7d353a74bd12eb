/* test_golden.c - loss, gradients, ten Adam steps and forward passes against PyTorch in float64, on
 * every instruction set this machine has.
 *
 * The numbers are in tests/golden/NAME.safetensors, written by tests/golden/make_golden.py, which
 * says what each tensor holds and sees to it that no ReLU, switch or soft position is within 1e-5
 * of its tie. */
#include "base/cpu.h"
#include "engine/engine.h"
#include "golden/generator.h"
#include "io/safetensors.h"
#include "shrink.h"
#include "train/optimizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A view's gradient, relative L2 error. A float32 sum of n terms is off by about sqrt(n) 2^-24
 * relative to the root of its squared terms: 4e-6 for the longest, a weight's gradient over 4096
 * pixels, and 2e-6 for a convolution over 1152 inputs. Up to twelve passes lie behind a gradient
 * here; their independent errors add up to sqrt(12) times 2e-6 and 4e-6 more, some 1e-5. Gradients
 * start from differences (reconstruction less image, probability less label) of about the size of
 * what they are taken of, which at most doubles it. PyTorch's own float32 reaches 2e-6, as the
 * files' float32_error says. */
#define GRADIENT_BOUND 2e-5

/* A term is a sum in double over values with the forward half of those errors, sqrt(6) 2e-6 = 5e-6
 * each; it is a square, so twice that. That they mostly average out is not relied on. */
#define TERM_BOUND 1e-5

/* In a variant, errors do not just add up: normalisation takes the mean off what it then divides by
 * a standard deviation, soft pooling multiplies by beta. make_golden.py stores what independent
 * relative errors of size 1 in every pass amount to in each view and term, its sensitivity. A pass
 * of the variants' nets sums up at most 550 terms (pixels of the batch, in a weight's gradient):
 * sqrt(550) 2^-24. A view may be of few values, even of one, so three standard deviations are
 * allowed. The bounds above hold where this is less. */
#define PASS_ERROR 1.4e-6
#define DEVIATIONS 3

/* What an error of one gradient may weigh in all later Adam updates; make_golden.py derives it. */
#define CARRY 2.6

#define STEPS 10

static const char *const names[] = {"n1",
                                    "n2",
                                    "two_conv",
                                    "norm_sigmoid",
                                    "supervised",
                                    "nll_off",
                                    "single",
                                    "no_fc",
                                    "soft",
                                    "soft_wide",
                                    "soft_upsample",
                                    "upsample",
                                    "fixed",
                                    "average",
                                    "classes",
                                    "classes_unsupervised",
                                    "classes_tied",
                                    "tied_grey",
                                    "tied_colour",
                                    "tied_blocked",
                                    "norm",
                                    "norm_one_stage",
                                    "norm_colour",
                                    "norm_single",
                                    "norm_pooled",
                                    "combined",
                                    "layerwise",
                                    "l1_mean",
                                    "l1_sum"};

struct golden {
    const char *name;
    struct safetensors file;
    struct network network;
    struct variant variant;
    struct objective objective;
    int batch;
    float *parameters, *images;
    int32_t *labels;
    double *sensitivity; /* of each view's gradient; NaN: none */
};

/* ---- reading a golden file ---- */

static const char *text_of(const struct golden *g, const char *key) {
    const char *text = safetensors_metadata(&g->file, key);
    if (!text) print_error("%s: no metadata \"%s\"\n", g->name, key);
    assert_non_null(text);
    return text;
}

static double number_of(const struct golden *g, const char *key) {
    return strtod(text_of(g, key), NULL);
}

/* What the metadata say, or what holds where they are silent. */
static const char *text_or(const struct golden *g, const char *key, const char *otherwise) {
    const char *text = safetensors_metadata(&g->file, key);
    return text ? text : otherwise;
}

static int choice_of(const char *text, const char *const *choices, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(choices[i], text) == 0) return i;
    fail_msg("unknown choice \"%s\"", text);
    return 0;
}

/* Numbers between commas; anything else ("hard") is 0. */
static void list_of(double values[NOTATION_STAGES], const char *text) {
    for (int s = 0; s < NOTATION_STAGES && *text; s++) {
        values[s] = strtod(text, NULL);
        text += strcspn(text, ",");
        text += *text == ',';
    }
}

static const struct safetensor *tensor_of(const struct golden *g, const char *name, size_t size) {
    const struct safetensor *t = safetensors_find(&g->file, name);
    if (!t || t->rank != 1 || t->shape[0] != size)
        print_error("%s: tensor %s of %zu values expected\n", g->name, name, size);
    assert_true(t && t->rank == 1 && t->shape[0] == size);
    return t;
}

/* A float64 array, stored as two of float32. malloc'ed. */
static double *doubles_of(const struct golden *g, const char *name, size_t size) {
    char part[192];
    snprintf(part, sizeof part, "%s_hi", name);
    const struct safetensor *hi = tensor_of(g, part, size);
    snprintf(part, sizeof part, "%s_lo", name);
    const struct safetensor *lo = tensor_of(g, part, size);
    double *values = malloc(size * sizeof *values);
    for (size_t i = 0; i < size; i++) values[i] = (double)hi->data[i] + (double)lo->data[i];
    return values;
}

/* Of `count` tensors; NaN where the file has none. malloc'ed. */
static double *sensitivities_of(const struct golden *g, const char *name, size_t count) {
    double *values = malloc(count * sizeof *values);
    const bool none = !safetensors_find(&g->file, name);
    const float *stored = none ? NULL : tensor_of(g, name, count)->data;
    for (size_t i = 0; i < count; i++) values[i] = none ? NAN : (double)stored[i];
    return values;
}

/* fmax ignores a NaN. */
static double bound_of(double least, double sensitivity) {
    return fmax(least, DEVIATIONS * PASS_ERROR * sensitivity);
}

static void read_variant(struct golden *g) {
    static const char *const tops[] = {"features", "classes"}, *const tied[] = {"no", "yes"};
    struct variant *v = &g->variant;
    v->output = (enum output)choice_of(text_of(g, "output"), output_names, 2);
    v->unpooling = (enum unpooling)choice_of(text_or(g, "unpool", "switches"), unpooling_names, 4);
    v->classes_top = choice_of(text_or(g, "decoder-top", "features"), tops, 2);
    v->tied = choice_of(text_or(g, "tied", "no"), tied, 2);
    v->norm = (enum batch_norm)choice_of(text_or(g, "norm", "none"), norm_names, 3);
    list_of(v->beta, text_or(g, "beta", ""));
}

static void read_objective(struct golden *g) {
    struct objective *o = &g->objective;
    o->nll = number_of(g, "lambda-nll");
    o->rec = number_of(g, "lambda-rec");
    o->reduction = (enum reduction)choice_of(text_of(g, "reduction"), reduction_names, 3);
    o->layers = (enum layers)choice_of(text_or(g, "layers", "all"), layers_names, 3);
    o->l1 = strtod(text_or(g, "lambda-l1", "0"), NULL);
    list_of(o->m, text_of(g, "lambda-m"));
}

static void golden_read(struct golden *g, const char *name) {
#ifdef SWWAE_SOURCE_DIR
    const char *source = SWWAE_SOURCE_DIR;
#else
    const char *source = getenv("SWWAE_SOURCE_DIR");
    if (!source) source = ".";
#endif
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/%s.safetensors", source, name);
    memset(g, 0, sizeof *g);
    g->name = name;
    if (safetensors_read(&g->file, path) != SWWAE_OK) fail_msg("%s", swwae_last_error());
    read_variant(g);
    read_objective(g);
    assert_int_equal(network_build(&g->network, text_of(g, "architecture"),
                                   (int)number_of(g, "channels"), (int)number_of(g, "height"),
                                   (int)number_of(g, "width"), &g->variant),
                     SWWAE_OK);
    assert_int_equal(objective_check(&g->objective, &g->network), SWWAE_OK);
    g->sensitivity = sensitivities_of(g, "gradient_sensitivity", g->network.view_count);
    g->batch = (int)number_of(g, "batch");
    const size_t pixels = (size_t)g->batch * (size_t)g->network.channels *
                          (size_t)g->network.height * (size_t)g->network.width;
    g->parameters = malloc(g->network.parameters * sizeof *g->parameters);
    g->images = malloc(pixels * sizeof *g->images);
    g->labels = malloc((size_t)g->batch * sizeof *g->labels);
    generate_parameters(g->parameters, &g->network);
    const uint32_t offset = (uint32_t)number_of(g, "image-offset");
    for (size_t i = 0; i < pixels; i++) g->images[i] = (float)hashed(i, offset);
    const struct safetensor *labels = tensor_of(g, "labels", (size_t)g->batch);
    for (int i = 0; i < g->batch; i++) g->labels[i] = (int32_t)labels->data[i];
}

static void golden_free(struct golden *g) {
    safetensors_free(&g->file);
    network_clear(&g->network);
    free(g->parameters);
    free(g->images);
    free(g->labels);
    free(g->sensitivity);
}

static struct engine *engine_of(const struct golden *g, int isa, int threads) {
    struct engine *engine = NULL;
    const struct engine_options options = {
        .objective = &g->objective, .batch = g->batch, .threads = threads, .isa = isa};
    assert_int_equal(engine_create(&engine, &g->network, &options), SWWAE_OK);
    return engine;
}

static void step_of(struct engine *engine, const struct golden *g, struct losses *losses,
                    float *gradient, const float *parameters) {
    assert_int_equal(
        engine_step(engine, losses, gradient, parameters,
                    &(struct batch){.images = g->images, .labels = g->labels, .n = g->batch}),
        SWWAE_OK);
}

/* ---- comparisons: each returns the number of faults and prints them ---- */

static int compare_terms(const struct golden *g, const struct losses *losses, const char *isa) {
    const size_t stages = (size_t)g->network.stages;
    const bool plain = !safetensors_find(&g->file, "terms_sensitivity");
    const size_t count = plain ? 2 + stages : 4 + stages;
    double *expected = doubles_of(g, "terms", count);
    double *sensitivity = sensitivities_of(g, "terms_sensitivity", count);
    int faults = 0;
    for (size_t i = 0; i < count; i++) {
        const double found = i == 0            ? losses->total
                             : i == 1          ? losses->nll
                             : i == 2          ? losses->rec
                             : i == 3 + stages ? losses->l1
                                               : losses->m[i - 3];
        if (isnan(expected[i]) ? isnan(found)
                               : fabs(found - expected[i]) <=
                                     bound_of(TERM_BOUND, sensitivity[i]) * fabs(expected[i]))
            continue;
        print_error("%s, %s: term %zu (total, nll, rec, m..., l1) is %.9g, expected %.9g\n",
                    g->name, isa, i, found, expected[i]);
        faults++;
    }
    free(expected);
    free(sensitivity);
    const float wrong = tensor_of(g, "wrong", 1)->data[0];
    if (!isnan(wrong) && (double)losses->wrong != (double)wrong) {
        print_error("%s, %s: %zu images wrong, expected %g\n", g->name, isa, losses->wrong,
                    (double)wrong);
        faults++;
    }
    return faults;
}

/* Relative L2 error of one view, over its stored entries; *worst is raised to it. A view that no
 * term reaches must be zero to the bit; one whose gradient cancels, a weight before a normalisation
 * of one value, zero but for rounding. */
static int compare_view(const struct golden *g, size_t v, const float *gradient, double norm,
                        const char *isa, double *worst) {
    const struct view *view = &g->network.view[v];
    const double bound = bound_of(GRADIENT_BOUND, g->sensitivity[v]);
    char name[160];
    snprintf(name, sizeof name, "gradient.%s_index", view->name);
    const struct safetensor *index = safetensors_find(&g->file, name);
    const size_t count = index ? index->shape[0] : view->size;
    snprintf(name, sizeof name, "gradient.%s", view->name);
    double *expected = doubles_of(g, name, count);
    double difference = 0, size = 0, whole = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = index ? (size_t)index->data[i] : i;
        assert_true(at < view->size);
        const double error = (double)gradient[view->offset + at] - expected[i];
        difference += error * error;
        size += expected[i] * expected[i];
    }
    free(expected);
    for (size_t i = 0; i < view->size; i++)
        whole += (double)gradient[view->offset + i] * (double)gradient[view->offset + i];
    if (norm == 0) {
        if (sqrt(whole) <= bound_of(0, g->sensitivity[v])) return 0;
        print_error("%s, %s: %s is not zero\n", g->name, isa, view->name);
        return 1;
    }
    const double error = sqrt(difference / size), of_norm = fabs(sqrt(whole) - norm) / norm;
    *worst = fmax(*worst, fmax(error, of_norm));
    if (error <= bound && of_norm <= bound) return 0; /* false for NaN */
    print_error("%s, %s: %s is off by %.2e, its norm by %.2e; allowed %.0e\n", g->name, isa,
                view->name, error, of_norm, bound);
    return 1;
}

static int compare_gradient(const struct golden *g, const float *gradient, const char *isa,
                            double *worst) {
    const size_t views = g->network.view_count;
    double *norm = doubles_of(g, "norm", views);
    int faults = 0;
    for (size_t v = 0; v < views; v++) faults += compare_view(g, v, gradient, norm[v], isa, worst);
    free(norm);
    return faults;
}

/* sum |dg| for a gradient whose every view is off by its bound: |x|_1 <= sqrt(size) |x|_2. */
static double gradient_slack(const struct golden *g, const float *gradient) {
    double slack = 0;
    for (size_t v = 0; v < g->network.view_count; v++) {
        const struct view *view = &g->network.view[v];
        double squares = 0;
        if (view->role == ROLE_RUNNING) continue; /* not a gradient, and nothing of a step's loss */
        for (size_t i = view->offset; i < view->offset + view->size; i++)
            squares += (double)gradient[i] * (double)gradient[i];
        slack += sqrt((double)view->size * squares) * bound_of(GRADIENT_BOUND, g->sensitivity[v]);
    }
    return slack;
}

/* Ten steps of Adam. A total may be off by its own rounding, by what the steps so far carried in
 * (an error dg of the gradient moves a value by at most about lr |dg| / |g|, and that changes the
 * total by g times it), and by what make_golden.py found to hang on near ties. */
static int compare_curve(const struct golden *g, struct engine *engine, const char *isa,
                         double *worst) {
    const size_t n = g->network.parameters;
    const double lr = number_of(g, "lr");
    double *expected = doubles_of(g, "curve", STEPS + 1);
    const struct safetensor *ties = tensor_of(g, "curve_ties", STEPS + 1);
    float *parameters = malloc(n * sizeof *parameters), *gradient = malloc(n * sizeof *gradient);
    memcpy(parameters, g->parameters, n * sizeof *parameters);
    struct optimizer adam;
    const struct settings settings = {.optimizer = OPTIMIZER_ADAM};
    assert_int_equal(optimizer_create(&adam, &g->network, &settings), SWWAE_OK);
    double *sensitivity = sensitivities_of(g, "terms_sensitivity", (size_t)g->network.stages + 4);
    const double rounding = bound_of(TERM_BOUND, sensitivity[0]);
    double carried = 0;
    int faults = 0;
    for (int t = 0; t <= STEPS; t++) {
        struct losses losses;
        step_of(engine, g, &losses, gradient, parameters);
        const double error = fabs(losses.total - expected[t]);
        const double allowed = rounding * expected[t] + carried + (double)ties->data[t];
        *worst = fmax(*worst, error / expected[t]);
        if (!(error <= allowed)) {
            print_error("%s, %s: total after %d Adam steps is %.9g, expected %.9g within %.1e\n",
                        g->name, isa, t, losses.total, expected[t], allowed);
            faults++;
        }
        carried += CARRY * lr * gradient_slack(g, gradient);
        optimizer_step(&adam, parameters, gradient, lr, NULL);
    }
    optimizer_free(&adam);
    free(sensitivity);
    free(parameters);
    free(gradient);
    free(expected);
    return faults;
}

/* Logits, or reconstruction. */
static int compare_array(const struct golden *g, const char *name, const float *found, size_t count,
                         double bound, const char *isa) {
    double *expected = doubles_of(g, name, count);
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += pow((double)found[i] - expected[i], 2);
        size += expected[i] * expected[i];
    }
    free(expected);
    if (difference <= bound * bound * size) return 0;
    print_error("%s, %s: %s with running statistics off by %.2e; allowed %.0e\n", g->name, isa,
                name, sqrt(difference / size), bound);
    return 1;
}

/* A forward pass with running statistics, of the networks that have them. */
static int compare_forward(const struct golden *g, int isa) {
    if (!g->variant.norm) return 0;
    const struct network *n = &g->network;
    const size_t images = (size_t)g->batch, classes = images * (size_t)n->classes,
                 pixels = images * (size_t)n->channels * (size_t)n->height * (size_t)n->width;
    double *sensitivity = sensitivities_of(g, "forward_sensitivity", 2);
    float *parameters = malloc(n->parameters * sizeof *parameters);
    float *logits = malloc((classes + 1) * sizeof *logits);
    float *reconstruction = malloc(pixels * sizeof *reconstruction);
    memcpy(parameters, g->parameters, n->parameters * sizeof *parameters);
    generate_statistics(parameters, n);
    struct engine *engine = NULL;
    const struct engine_options options = {.threads = 2, .isa = isa};
    const struct forward forward = {.logits = classes ? logits : NULL,
                                    .reconstruction = reconstruction};
    assert_int_equal(engine_create(&engine, n, &options), SWWAE_OK);
    assert_int_equal(engine_forward(engine, &forward, parameters, g->images, g->batch), SWWAE_OK);
    engine_free(engine);
    const char *set = cpu_isa_name((enum cpu_isa)isa);
    int faults =
        compare_array(g, "logits", logits, classes, bound_of(TERM_BOUND, sensitivity[0]), set);
    faults += compare_array(g, "reconstruction", reconstruction, pixels,
                            bound_of(TERM_BOUND, sensitivity[1]), set);
    free(parameters);
    free(logits);
    free(reconstruction);
    free(sensitivity);
    return faults;
}

/* The same bits with 2 and 4 threads as with one. */
static int compare_threads(const struct golden *g, const struct losses *losses,
                           const float *gradient, int isa) {
    const size_t n = g->network.parameters;
    float *other = malloc(n * sizeof *other);
    int faults = 0;
    for (int threads = 2; threads <= 4; threads += 2) {
        struct engine *engine = engine_of(g, isa, threads);
        struct losses again;
        step_of(engine, g, &again, other, g->parameters);
        engine_free(engine);
        if (memcmp(other, gradient, n * sizeof *other) == 0 &&
            memcmp(&again.total, &losses->total, sizeof again.total) == 0)
            continue;
        print_error("%s, %s: %d threads give other bits than one\n", g->name,
                    cpu_isa_name((enum cpu_isa)isa), threads);
        faults++;
    }
    free(other);
    return faults;
}

static void check(void **state) {
    struct golden g;
    golden_read(&g, *state);
    float *gradient = malloc(g.network.parameters * sizeof *gradient);
    int faults = 0;
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        const char *set = cpu_isa_name((enum cpu_isa)isa);
        if (!cpu_has((enum cpu_isa)isa)) {
            print_message("%s: skipped, this machine has no %s\n", g.name, set);
            continue;
        }
        struct engine *engine = engine_of(&g, isa, 1);
        struct losses losses;
        double worst = 0, worst_total = 0;
        step_of(engine, &g, &losses, gradient, g.parameters);
        faults += compare_terms(&g, &losses, set);
        faults += compare_gradient(&g, gradient, set, &worst);
        faults += compare_forward(&g, isa);
        faults += compare_threads(&g, &losses, gradient, isa);
        /* ten steps more are nothing new to a sanitizer */
        if (shrink() == 1) faults += compare_curve(&g, engine, set, &worst_total);
        engine_free(engine);
        print_message("%-20s %-9s worst view's gradient off by %.1e, Adam's totals by %.1e\n",
                      g.name, set, worst, worst_total);
    }
    free(gradient);
    golden_free(&g);
    assert_int_equal(faults, 0);
}

int main(void) {
    const size_t count = sizeof names / sizeof *names;
    struct CMUnitTest tests[sizeof names / sizeof *names];
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = check, .initial_state = (void *)names[i]};
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
