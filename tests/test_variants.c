/* test_variants.c - models of every variant: from options, through files, their codes, pictures of
 * another class, descriptions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "data/dataset.h"
#include "io/file.h"
#include "model_faults.h"
#include "train/model.h"

#define ARCH "(4)3c-2p-(6)3c-2p-5fc-3fc"
#define SIDE 8
#define PIXELS (SIDE * SIDE)
#define CODES (4 * (SIDE / 2) * (SIDE / 2)) /* of stage 0 */

/* name, value, ..., NULL on top of ARCH. */
static swwae_options *options_of(va_list pairs) {
    swwae_options *options;
    assert_int_equal(swwae_options_create(&options), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "arch", ARCH), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "recipe", "none"), SWWAE_OK);
    for (const char *name; (name = va_arg(pairs, const char *));)
        if (swwae_options_set(options, name, va_arg(pairs, const char *)) != SWWAE_OK)
            fail_msg("%s", swwae_last_error());
    return options;
}

static swwae_model *make(const char *first, ...) {
    swwae_model *model = NULL;
    swwae_options *options;
    va_list pairs;
    va_start(pairs, first);
    options = options_of(pairs);
    va_end(pairs);
    assert_int_equal(swwae_options_set(options, "seed", first), SWWAE_OK);
    if (swwae_model_create_from(&model, options, 1, SIDE, SIDE)) fail_msg("%s", swwae_last_error());
    swwae_options_free(options);
    return model;
}

static void says(swwae_status status, swwae_status expected, const char *part) {
    if (status != expected || !strstr(swwae_last_error(), part))
        fail_msg("%s: \"%s\", expected %s: \"%s\"", swwae_status_text(status), swwae_last_error(),
                 swwae_status_text(expected), part);
}

/* n images of values 0..1; the caller frees them. */
static float *images_of(size_t n) {
    float *images = malloc(n * PIXELS * sizeof *images);
    for (size_t i = 0; i < n * PIXELS; i++) images[i] = (float)(i * 37 % 101) / 100;
    return images;
}

/* ---- From options ----------------------------------------------------------------------- */

static void test_create(void **state) {
    (void)state;
    swwae_model *model = make("7", NULL), *plain;
    assert_int_equal(swwae_model_create(&plain, ARCH, 1, SIDE, SIDE, 7), SWWAE_OK);
    assert_memory_equal(model->parameters, plain->parameters,
                        plain->network.parameters * sizeof(float));
    swwae_model_free(plain);
    swwae_model_free(model);

    model = make("1", "beta", "hard,100", "decoder-top", "classes", "tied", "yes", "norm", "batch",
                 "unpool", "average", "output", "sigmoid", "reduction", "norm", NULL);
    const struct variant *v = &model->network.variant;
    assert_true(v->beta[0] == 0 && v->beta[1] == 100 && v->beta[2] == 0);
    assert_true(v->classes_top && v->tied && v->norm);
    assert_true(v->unpooling == UNPOOL_AVERAGE && v->output == OUTPUT_SIGMOID);
    assert_int_equal(model->reduction, REDUCTION_NORM);
    assert_true(swwae_model_beta(model, 0) == 0 && swwae_model_beta(model, 1) == 100);
    assert_true(swwae_model_beta(model, 2) == 0 && swwae_model_beta(model, -1) == 0);
    assert_true(swwae_model_beta(NULL, 0) == 0);
    swwae_model_free(model);

    model = make("1", "beta", "0.5", NULL); /* one for all stages */
    assert_true(swwae_model_beta(model, 0) == 0.5 && swwae_model_beta(model, 1) == 0.5);
    swwae_model_free(model);
}

static void test_create_refusals(void **state) {
    (void)state;
    swwae_options *options;
    swwae_model *model = NULL;
    assert_int_equal(swwae_options_create(&options), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "arch", ARCH), SWWAE_OK);
    says(swwae_model_create_from(NULL, options, 1, 8, 8), SWWAE_E_ARGUMENT, "model is NULL");
    says(swwae_model_create_from(&model, NULL, 1, 8, 8), SWWAE_E_ARGUMENT, "options is NULL");
    says(swwae_model_create_from(&model, options, 0, 8, 8), SWWAE_E_ARGUMENT, "0 channels");
    assert_int_equal(swwae_options_set(options, "beta", "1,2,3"), SWWAE_OK);
    says(swwae_model_create_from(&model, options, 1, 8, 8), SWWAE_E_ARGUMENT,
         "option --beta: 3 values found, expected 1 for all or 2, one for each stage (the "
         "architecture has 2 stages)");
    assert_int_equal(swwae_options_set(options, "arch", "(4)3c-2p"), SWWAE_OK);
    says(swwae_model_create_from(&model, options, 1, 8, 8), SWWAE_E_ARGUMENT,
         "option --beta: 3 values found, expected 1 (the architecture has 1 stage)");
    assert_int_equal(swwae_options_set(options, "beta", "hard"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "decoder-top", "classes"), SWWAE_OK);
    says(swwae_model_create_from(&model, options, 1, 8, 8), SWWAE_E_ARGUMENT,
         "no fully connected layer");
    assert_int_equal(swwae_options_set(options, "decoder-top", "features"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "norm", "pooled"), SWWAE_OK);
    assert_int_equal(swwae_options_set(options, "beta", "5"), SWWAE_OK);
    says(swwae_model_create_from(&model, options, 1, 8, 8), SWWAE_E_ARGUMENT,
         "a soft pool's what cannot be normalised after it");
    assert_null(model);
    swwae_options_free(options);
}

/* ---- Files ------------------------------------------------------------------------------ */

static void same_variant(const swwae_model *a, const swwae_model *b) {
    const struct variant *x = &a->network.variant, *y = &b->network.variant;
    for (int s = 0; s < NOTATION_STAGES; s++) assert_true(x->beta[s] == y->beta[s]);
    assert_true(x->unpooling == y->unpooling && x->output == y->output);
    assert_true(x->classes_top == y->classes_top && x->tied == y->tied && x->norm == y->norm);
    assert_int_equal(a->network.parameters, b->network.parameters);
    assert_memory_equal(a->parameters, b->parameters, a->network.parameters * sizeof(float));
}

/* The parts of the description that depend on the variant agree with the network. */
static void check_description(const swwae_model *model) {
    char *text;
    size_t parameters = 0;
    assert_int_equal(swwae_model_describe(model, &text), SWWAE_OK);
    json_t *root = json_loads(text, 0, NULL), *codes = json_object_get(root, "codes");
    json_t *layers = json_object_get(root, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++)
        parameters +=
            (size_t)json_integer_value(json_object_get(json_array_get(layers, i), "parameters"));
    assert_int_equal(parameters, model->network.parameters);
    assert_int_equal(json_array_size(codes), 2);
    for (size_t s = 0; s < 2; s++) {
        const json_t *code = json_array_get(codes, s), *where = json_object_get(code, "where");
        const bool soft = model->network.variant.beta[s] > 0;
        assert_int_equal(json_array_size(json_object_get(code, "what")), 3);
        assert_int_equal(json_array_size(where), soft ? 5 - 1 : 3);
        assert_int_equal(json_integer_value(json_array_get(where, 0)), s ? 6 : 4);
        assert_int_equal(json_integer_value(json_array_get(where, 2)), s ? 2 : 4);
        assert_string_equal(json_string_value(json_object_get(code, "where_type")),
                            soft ? "float32" : "uint8");
    }
    assert_string_equal(json_string_value(json_object_get(root, "decoder_top")),
                        model->network.variant.classes_top ? "classes" : "features");
    assert_string_equal(json_string_value(json_object_get(root, "tied")),
                        model->network.variant.tied ? "yes" : "no");
    assert_string_equal(json_string_value(json_object_get(root, "norm")),
                        norm_names[model->network.variant.norm]);
    json_decref(root);
    swwae_text_free(text);
}

static void test_round_trip(void **state) {
    (void)state;
    static const char *const betas[] = {"hard", "hard,100", "0.1,1e-300", "0.30000000000000004"};
    static const char *const tops[] = {"features", "classes"}, *const words[] = {"no", "yes"};
    for (int i = 0; i < 4 * 4 * 12; i++) {
        if (i % 4 && i / 64 == NORM_POOLED) continue; /* soft pooling */
        swwae_model *back,
            *model = make("3", "beta", betas[i % 4], "unpool", unpooling_names[i / 4 % 4],
                          "decoder-top", tops[i / 16 % 2], "tied", words[i / 32 % 2], "norm",
                          norm_names[i / 64], "output", output_names[i % 2], NULL);
        const char *path = temporary_path("variant.safetensors");
        assert_int_equal(swwae_model_save(model, path), SWWAE_OK);
        if (swwae_model_load(&back, path) != SWWAE_OK) fail_msg("%s", swwae_last_error());
        same_variant(model, back);
        check_description(back);
        swwae_model_free(model);
        swwae_model_free(back);
    }
}

static swwae_model *plain(void) { return make("3", NULL); }
static swwae_model *full(void) {
    return make("3", "beta", "hard,100", "decoder-top", "classes", "norm", "batch", NULL);
}

static void beta_empty(struct safetensors *file) { set(file, "beta", ""); }
static void beta_word(struct safetensors *file) { set(file, "beta", "soft"); }
static void beta_three(struct safetensors *file) { set(file, "beta", "hard,1,1"); }
static void beta_one(struct safetensors *file) { set(file, "beta", "100"); }
static void beta_zero(struct safetensors *file) { set(file, "beta", "0,1"); }
static void beta_negative(struct safetensors *file) { set(file, "beta", "1,-1"); }
static void beta_huge(struct safetensors *file) { set(file, "beta", "1,1e9"); }
static void beta_infinite(struct safetensors *file) { set(file, "beta", "1,1e999"); }
static void beta_long(struct safetensors *file) {
    static char text[5000];
    memset(text, '1', sizeof text - 1);
    set(file, "beta", text);
}
static void top_else(struct safetensors *file) { set(file, "decoder_top", "both"); }
static void top_features(struct safetensors *file) { set(file, "decoder_top", "features"); }
static void top_classes(struct safetensors *file) { set(file, "decoder_top", "classes"); }
static void no_classes(struct safetensors *file) {
    set(file, "decoder_top", "classes");
    set(file, "architecture", "(4)3c-2p-(6)3c-2p");
}
static void tied_else(struct safetensors *file) { set(file, "tied", "maybe"); }
static void tied_yes(struct safetensors *file) { set(file, "tied", "yes"); }
static void norm_else(struct safetensors *file) { set(file, "norm", "layer"); }
static void norm_none(struct safetensors *file) { set(file, "norm", "none"); }
static void norm_batch(struct safetensors *file) { set(file, "norm", "batch"); }
static void norm_pooled(struct safetensors *file) { set(file, "norm", "pooled"); }
static void negative(struct safetensors *file, const char *tensor) {
    ((float *)(uintptr_t)safetensors_find(file, tensor)->data)[1] = -0.5f;
}
static void variance_negative(struct safetensors *file) { negative(file, "encoder.1.0.variance"); }
static void mean_negative(struct safetensors *file) { negative(file, "encoder.1.0.mean"); }

static void test_faulty_files(void **state) {
    (void)state;
    change_fn *const betas[] = {beta_empty, beta_word, beta_three,    beta_one,     beta_zero,
                                beta_huge,  beta_long, beta_negative, beta_infinite};
    for (size_t i = 0; i < sizeof betas / sizeof *betas; i++)
        refuses_change(plain(), betas[i], "metadata \"beta\" is \"");
    refuses_change(
        plain(), beta_three,
        "metadata \"beta\" is \"hard,1,1\", expected \"hard\", or that or a number above "
        "0 and at most 1e+06 for each of the architecture's stages");
    refuses_change(plain(), top_else,
                   "metadata \"decoder_top\" is \"both\", expected \"features\" or another");
    refuses_change(full(), top_features, "tensor decoder.fc.0.weight is not part of the arch");
    refuses_change(plain(), top_classes, "tensor decoder.fc.0.weight is missing");
    refuses_change(plain(), no_classes, "the architecture has no fully connected layer");
    refuses_change(plain(), tied_else, "metadata \"tied\" is \"maybe\", expected \"no\"");
    refuses_change(plain(), tied_yes, "tensor decoder.0.0.weight is not part of the architecture");
    refuses_change(plain(), norm_else, "metadata \"norm\" is \"layer\", expected \"none\"");
    refuses_change(full(), norm_none, "tensor encoder.0.0.scale is not part of the architecture");
    refuses_change(plain(), norm_batch, "tensor encoder.0.0.scale is missing");
    refuses_change(full(), norm_pooled,
                   "norm pooled and a beta of 100 were asked for, but a soft pool's what cannot be "
                   "normalised after it; use norm batch, or beta hard");
    refuses_change(full(), variance_negative,
                   "value 1 of tensor encoder.1.0.variance is -0.5, expected a variance");
    swwae_model *model = full(), *back;
    assert_int_equal(swwae_model_load(&back, changed(model, mean_negative)), SWWAE_OK);
    swwae_model_free(back);
    swwae_model_free(model);
}

static void as_before(struct safetensors *file) {
    static const char *const newer[] = {"beta", "unpool", "decoder_top", "tied", "norm"};
    for (size_t k = 0; k < sizeof newer / sizeof *newer; k++)
        for (size_t i = 0; i < file->metadata_count; i++)
            if (!strcmp(file->metadata[i][0], newer[k])) file->metadata[i][0][0] = 'x';
}

static void test_older_files(void **state) {
    (void)state;
    swwae_model *model = plain(), *back;
    if (swwae_model_load(&back, changed(model, as_before))) fail_msg("%s", swwae_last_error());
    same_variant(model, back);
    swwae_model_free(back);
    swwae_model_free(model);
}

/* ---- Codes ------------------------------------------------------------------------------ */

/* A sharp soft pooling is max pooling: of n values the softmax-weighted mean lies at most
 * log(n) / beta below the maximum (the entropy of the weights is at most log n). */
static void test_codes(void **state) {
    (void)state;
    enum { N = 3 };
    const float bound = logf(4) / 1e4f;
    float *images = images_of(N);
    static float hard[N * CODES], soft[N * CODES], position[2 * N * CODES];
    static uint8_t cell[N * CODES];
    swwae_model *sharp = make("5", "beta", "1e4,hard", NULL), *model = make("5", NULL);
    says(swwae_model_encode(sharp, images, N, 0, hard, cell), SWWAE_E_ARGUMENT,
         "stage 0 has soft pooling, whose where is a position and not a cell; call "
         "swwae_model_encode_soft");
    says(swwae_model_encode_soft(sharp, images, N, 1, soft, position), SWWAE_E_ARGUMENT,
         "stage 1 has max pooling, whose where is a cell and not a position; call "
         "swwae_model_encode");
    says(swwae_model_encode_soft(sharp, images, N, 2, soft, position), SWWAE_E_ARGUMENT,
         "stage 2 found, expected 0 to 1");
    says(swwae_model_encode_soft(sharp, images, N, 0, NULL, NULL), SWWAE_E_ARGUMENT, "both NULL");
    says(swwae_model_encode_soft(sharp, NULL, N, 0, soft, NULL), SWWAE_E_ARGUMENT, "NULL");
    assert_int_equal(swwae_model_encode(model, images, N, 0, hard, cell), SWWAE_OK);
    assert_int_equal(swwae_model_encode_soft(sharp, images, N, 0, soft, position), SWWAE_OK);
    int active = 0, agree = 0;
    for (size_t i = 0; i < N * CODES; i++) {
        assert_true(fabsf(position[2 * i]) <= 1.0001f && fabsf(position[2 * i + 1]) <= 1.0001f);
        assert_true(soft[i] <= hard[i] + 1e-5f && soft[i] >= hard[i] - bound - 1e-5f);
        if (!(hard[i] > 0)) continue;
        active++; /* all but windows whose two largest values are nearly the same */
        agree += fabsf(position[2 * i] - (cell[i] % 2 ? 1 : -1)) < 1e-3f &&
                 fabsf(position[2 * i + 1] - (cell[i] / 2 ? 1 : -1)) < 1e-3f;
    }
    assert_true(active > N * CODES / 4);
    assert_true(agree > active * 9 / 10);
    swwae_model_free(sharp);
    swwae_model_free(model);
    free(images);
}

static void test_encode_files(void **state) {
    (void)state;
    const size_t n = MODEL_CHUNK + 7; /* more than a chunk */
    swwae_model *model = make("5", "beta", "20,hard", NULL);
    swwae_dataset *data;
    char *file;
    size_t size;
    assert_int_equal(dataset_allocate(&data, n, 1, SIDE, SIDE, 0, false), SWWAE_OK);
    for (size_t i = 0; i < n * PIXELS; i++) data->images[i] = (uint8_t)(i * 41);
    assert_int_equal(swwae_encode(model, data, 0, temporary_path("soft"), NULL, NULL), SWWAE_OK);
    assert_int_equal(file_read(temporary_path("soft-where.npy"), 1 << 24, &file, &size), SWWAE_OK);
    const size_t values = n * CODES * 2, header = size - values * sizeof(float);
    assert_true(header == 128 && strstr(file + 10, "'<f4'"));
    assert_non_null(strstr(file + 10, "(507,4,4,4,2,)"));
    float *images = calloc(PIXELS, sizeof *images), position[2 * CODES];
    swwae_dataset_image(data, n - 1, images);
    assert_int_equal(swwae_model_encode_soft(model, images, 1, 0, NULL, position), SWWAE_OK);
    assert_memory_equal(file + size - sizeof position, position, sizeof position);
    free(file);
    assert_int_equal(swwae_encode(model, data, 1, temporary_path("hard"), NULL, NULL), SWWAE_OK);
    assert_int_equal(file_read(temporary_path("hard-where.npy"), 1 << 24, &file, &size), SWWAE_OK);
    assert_non_null(strstr(file + 10, "'|u1'"));
    assert_non_null(strstr(file + 10, "(507,6,2,2,)"));
    free(file);
    free(images);
    swwae_dataset_free(data);
    swwae_model_free(model);
}

/* ---- Another class ---------------------------------------------------------------------- */

static void test_as_class(void **state) {
    (void)state;
    const size_t n = MODEL_CHUNK + 5, bytes = PIXELS * sizeof(float);
    swwae_model *model = make("5", "decoder-top", "classes", NULL);
    float *images = images_of(n), *out = calloc(n, bytes), *other = calloc(n, bytes);
    float one[PIXELS];
    assert_int_equal(swwae_model_reconstruct_as(model, images, n, 0, out), SWWAE_OK);
    assert_int_equal(swwae_model_reconstruct_as(model, images, n, 2, other), SWWAE_OK);
    for (size_t i = 0; i < n; i += 100) {
        assert_memory_not_equal(out + i * PIXELS, other + i * PIXELS, bytes);
        assert_int_equal(swwae_model_reconstruct_as(model, images + i * PIXELS, 1, 2, one),
                         SWWAE_OK);
        assert_memory_equal(one, other + i * PIXELS, bytes);
    }
    says(swwae_model_reconstruct_as(model, images, 1, 3, out), SWWAE_E_ARGUMENT,
         "class 3 found, expected 0 to 2 (the model has 3 classes)");
    says(swwae_model_reconstruct_as(model, images, 1, -1, out), SWWAE_E_ARGUMENT, "class -1 found");
    says(swwae_model_reconstruct_as(NULL, images, 1, 0, out), SWWAE_E_ARGUMENT, "model is NULL");
    says(swwae_model_reconstruct_as(model, NULL, 1, 0, out), SWWAE_E_ARGUMENT, "images is NULL");
    images[3] = NAN;
    says(swwae_model_reconstruct_as(model, images, 1, 0, out), SWWAE_E_ARGUMENT, "image 0 holds");
    images[3] = 0;
    assert_int_equal(model_set_options(model, strdup("{\"lambda-rec\": 0}")), SWWAE_OK);
    says(swwae_model_reconstruct_as(model, images, 1, 0, out), SWWAE_E_ARGUMENT,
         "the model's decoder was not trained (lambda-rec 0");
    assert_int_equal(model_set_options(model, strdup("{\"lambda-nll\": 0}")), SWWAE_OK);
    says(swwae_model_reconstruct_as(model, images, 1, 0, out), SWWAE_E_ARGUMENT,
         "the model was not trained on labels (lambda-nll 0)");
    swwae_model_free(model);
    model = make("5", NULL);
    says(swwae_model_reconstruct_as(model, images, 1, 0, out), SWWAE_E_ARGUMENT,
         "the model's decoder starts from the features");
    swwae_model_free(model);
    free(images);
    free(out);
    free(other);
}

/* Which terms of the loss train the whole decoder. */
static void test_trained(void **state) {
    (void)state;
    static const struct {
        const char *options;
        bool classifier, decoder;
    } cases[] = {
        {"{}", true, true},
        {"{\"lambda-nll\": 0, \"lambda-m\": 0}", false, true},
        {"{\"lambda-rec\": 0, \"lambda-m\": 1}", true, false},
        {"{\"rec-layers\": \"layerwise\", \"lambda-m\": 0.5}", true, true},
        {"{\"rec-layers\": \"layerwise\", \"lambda-m\": 0}", true, false},
        {"{\"rec-layers\": \"layerwise\", \"lambda-m\": \"1,0.5\"}", true, true},
        {"{\"rec-layers\": \"layerwise\", \"lambda-m\": \"1,0\"}", true, false},
        {"{\"rec-layers\": \"layerwise\", \"lambda-m\": \"odd\"}", true, false},
        {"{\"rec-layers\": \"input\", \"lambda-m\": 0}", true, true},
        {"{\"rec-layers\": 3, \"lambda-m\": [1]}", true, true},
    };
    swwae_model *model = make("5", NULL), *one;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(model_set_options(model, strdup(cases[i].options)), SWWAE_OK);
        if (model_classifier_trained(model) != cases[i].classifier ||
            model_decoder_trained(model) != cases[i].decoder)
            fail_msg("%s", cases[i].options);
    }
    assert_int_equal(swwae_model_create(&one, "(4)3c-2p", 1, SIDE, SIDE, 1), SWWAE_OK);
    assert_int_equal(
        model_set_options(one, strdup("{\"rec-layers\": \"layerwise\", \"lambda-m\": 0}")),
        SWWAE_OK);
    assert_true(model_decoder_trained(one)); /* there is no inner boundary */
    swwae_model_free(one);
    swwae_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),       cmocka_unit_test(test_create_refusals),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_faulty_files),
        cmocka_unit_test(test_older_files),  cmocka_unit_test(test_codes),
        cmocka_unit_test(test_encode_files), cmocka_unit_test(test_as_class),
        cmocka_unit_test(test_trained),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
