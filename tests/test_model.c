/* test_model.c - models: files and their faults, prediction, reconstruction, measuring. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "model_faults.h"
#include "train/model.h"
#include "train/model_file.h"

#define ARCH "(4)3c-2p-(6)3c-2p-3fc"
#define SIDE 8
#define PIXELS (SIDE * SIDE)

static swwae_model *make(void) {
    swwae_model *model;
    assert_int_equal(swwae_model_create(&model, ARCH, 1, SIDE, SIDE, 5), SWWAE_OK);
    snprintf(model->class_names[1], 64, "caf\xc3\xa9 \"quoted\"");
    snprintf(model->data, sizeof model->data, "toys");
    model->network.variant.output = OUTPUT_SIGMOID;
    model->reduction = REDUCTION_SUM;
    model->step = 77;
    model->options = strdup("{\"lr\": 0.1}");
    return model;
}

/* n images of values 0..1; the caller frees them. */
static float *images_of(size_t n) {
    float *images = malloc(n * PIXELS * sizeof *images);
    for (size_t i = 0; i < n * PIXELS; i++) images[i] = (float)(i * 37 % 101) / 100;
    return images;
}

static void test_arguments(void **state) {
    (void)state;
    swwae_model *model = NULL;
    assert_int_equal(swwae_model_create(NULL, ARCH, 1, 8, 8, 0), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_model_create(&model, NULL, 1, 8, 8, 0), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_model_create(&model, "(4)3c", 1, 8, 8, 0), SWWAE_E_NOTATION);
    assert_int_equal(swwae_model_create(&model, ARCH, 0, 8, 8, 0), SWWAE_E_ARGUMENT);
    assert_null(model);
    model = make();
    assert_int_equal(swwae_model_classes(model), 3);
    assert_int_equal(swwae_model_classes(NULL), 0);
    assert_string_equal(swwae_model_class_name(model, 2), "2");
    assert_null(swwae_model_class_name(model, 3));
    assert_null(swwae_model_class_name(model, -1));
    int channels, height, width;
    swwae_model_image_size(model, &channels, &height, NULL);
    swwae_model_image_size(model, NULL, NULL, &width);
    assert_true(channels == 1 && height == SIDE && width == SIDE);
    assert_int_equal(swwae_model_parameters(model), model->network.parameters);
    assert_int_equal(swwae_model_set_threads(model, 257), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_model_set_threads(model, -1), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_model_save(model, NULL), SWWAE_E_ARGUMENT);
    assert_int_equal(
        swwae_model_reconstruct(model, model->parameters, 1, (swwae_where)9, model->parameters),
        SWWAE_E_ARGUMENT);
    swwae_model_free(model);
    swwae_model_free(NULL);
}

static void test_save_and_load(void **state) {
    (void)state;
    swwae_model *model = make(), *back;
    const char *path = temporary_path("model.safetensors");
    assert_int_equal(swwae_model_save(model, path), SWWAE_OK);
    assert_int_equal(swwae_model_load(&back, path), SWWAE_OK);
    assert_memory_equal(model->parameters, back->parameters,
                        model->network.parameters * sizeof(float));
    assert_string_equal(back->class_names[1], model->class_names[1]);
    assert_string_equal(back->data, "toys");
    assert_string_equal(back->options, model->options);
    assert_true(back->network.variant.output == OUTPUT_SIGMOID && back->reduction == REDUCTION_SUM);
    assert_int_equal(back->step, 77);
    swwae_model_free(back);
    /* the folder that holds it */
    assert_int_equal(swwae_model_load(&back, temporary_folder), SWWAE_OK);
    swwae_model_free(back);
    back = NULL;
    assert_int_equal(swwae_model_load(&back, temporary_subfolder("empty")), SWWAE_E_IO);
    assert_non_null(strstr(swwae_last_error(), "no model.safetensors in this folder"));
    assert_int_equal(swwae_model_load(&back, temporary_path("missing")), SWWAE_E_IO);
    assert_null(back);
    swwae_model_free(model);
}

/* ---- Faulty files ----------------------------------------------------------------------- */

static void refused(change_fn *change, const char *part) { refuses_change(make(), change, part); }

static void last_tensor_gone(struct safetensors *file) { file->count--; }
static void tensor_renamed(struct safetensors *file) {
    strcpy(file->tensors[0].name, "encoder.9.9.weight");
}
static void shape_changed(struct safetensors *file) {
    file->tensors[0].shape[3] = 9, file->tensors[0].shape[2] = 1;
}
static void rank_changed(struct safetensors *file) {
    file->tensors[0].rank = 2;
    file->tensors[0].shape[1] = 9;
}
static void value_nan(struct safetensors *file) {
    ((float *)(uintptr_t)file->tensors[2].data)[3] = NAN;
}
static void arch_larger(struct safetensors *file) {
    set(file, "architecture", "(4096)11c-(4096)11c-2p-(6)3c-2p-3fc");
}
static void arch_absurd(struct safetensors *file) {
    set(file, "architecture", "(4096)11c-2p-65536fc-65536fc-65536fc-3fc");
    set(file, "height", "4096");
    set(file, "width", "4096");
}
static void arch_broken(struct safetensors *file) { set(file, "architecture", "(4)3c-"); }
static void stage_more(struct safetensors *file) {
    set(file, "architecture", "(4)3c-2p-(6)3c-2p-(6)3c-2p-3fc");
}
static void stage_less(struct safetensors *file) { set(file, "architecture", "(4)3c-2p-3fc"); }
static void height_huge(struct safetensors *file) { set(file, "height", "99999999999999999999"); }
static void height_text(struct safetensors *file) { set(file, "height", "eight"); }
static void height_else(struct safetensors *file) { set(file, "height", "16"); }
static void format_else(struct safetensors *file) { set(file, "format", "swwae model 9"); }
static void output_else(struct safetensors *file) { set(file, "output", "cubic"); }
static void scaling_else(struct safetensors *file) { set(file, "normalisation", "mean 0"); }
static void names_few(struct safetensors *file) { set(file, "class_names", "[\"a\"]"); }
static void names_numbers(struct safetensors *file) { set(file, "class_names", "[1,2,3]"); }
static void names_broken(struct safetensors *file) { set(file, "class_names", "["); }
static void options_broken(struct safetensors *file) { set(file, "options", "[1]"); }
static void nothing_known(struct safetensors *file) { file->metadata_count = 0; }

static void test_faulty_files(void **state) {
    (void)state;
    refused(last_tensor_gone, "tensor decoder.1.0.bias is missing, the architecture expects one of "
                              "shape (4)");
    refused(tensor_renamed, "tensor encoder.0.0.weight is missing");
    refused(shape_changed,
            "tensor encoder.0.0.weight has shape (4, 1, 1, 9), expected (4, 1, 3, 3)");
    refused(rank_changed, "tensor encoder.0.0.weight has shape (4, 9), expected (4, 1, 3, 3)");
    refused(value_nan, "value 3 of tensor encoder.1.0.weight is not a finite number");
    refused(arch_larger, "tensor encoder.0.0.weight has shape (4, 1, 3, 3), expected (4096, 1, 11");
    refused(arch_absurd, "bad.safetensors: ");
    refused(arch_broken, "architecture \"(4)3c-\"");
    refused(stage_more, "tensor encoder.2.0.weight is missing");
    refused(stage_less, "tensor classifier.0.weight has shape (3, 24), expected (3, 64)");
    refused(height_huge, "metadata \"height\" is \"99999999999999999999\", expected a whole number "
                         "from 1 to 4096");
    refused(height_text, "metadata \"height\" is \"eight\"");
    refused(height_else, "tensor classifier.0.weight has shape (3, 24), expected (3, 48)");
    refused(format_else, "format \"swwae model 9\" found, expected \"swwae model 1\"");
    refused(output_else, "metadata \"output\" is \"cubic\"");
    refused(scaling_else, "metadata \"normalisation\" is \"mean 0\", expected \"byte/255\"");
    refused(names_few, "\"class_names\"");
    refused(names_numbers, "\"class_names\"");
    refused(names_broken, "\"class_names\"");
    refused(options_broken, "\"options\"");
    refused(nothing_known, "not a model written by swwae");
}

static void more_tensors(struct safetensors *file) {
    /* the reader's array has no room for one more: the last becomes an unknown one */
    static struct safetensor tensors[64];
    memcpy(tensors, file->tensors, file->count * sizeof *tensors);
    tensors[file->count] = tensors[0];
    strcpy(tensors[file->count].name, "stranger");
    free(file->tensors);
    file->tensors = malloc((file->count + 1) * sizeof *tensors);
    memcpy(file->tensors, tensors, (file->count + 1) * sizeof *tensors);
    file->count++;
}

static void test_extra_tensor(void **state) {
    (void)state;
    refused(more_tensors, "tensor stranger is not part of the architecture");
}

/* No cut of the file may be taken for a model, nor crash. */
static void test_cut_files(void **state) {
    (void)state;
    swwae_model *model = make(), *back = NULL;
    const char *path = temporary_path("whole.safetensors");
    static char bytes[1 << 16];
    assert_int_equal(swwae_model_save(model, path), SWWAE_OK);
    FILE *file = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut += 1 + cut / 8) {
        const char *part = temporary_write("part.safetensors", bytes, cut);
        assert_int_equal(swwae_model_load(&back, part), SWWAE_E_FORMAT);
        assert_non_null(strstr(swwae_last_error(), "part.safetensors"));
    }
    for (size_t at = 0; at < size; at += 7) { /* a flipped byte: any answer, no crash */
        bytes[at] = (char)(bytes[at] ^ 0x55);
        if (swwae_model_load(&back, temporary_write("flip.safetensors", bytes, size)) == SWWAE_OK)
            swwae_model_free(back);
        bytes[at] = (char)(bytes[at] ^ 0x55);
    }
    swwae_model_free(model);
}

/* ---- Running ---------------------------------------------------------------------------- */

static void test_predict(void **state) {
    (void)state;
    swwae_model *model = make();
    const size_t n = MODEL_CHUNK + 13; /* more than a chunk */
    float *images = images_of(n), *all = calloc(n * 3, sizeof *all), one[3];
    assert_int_equal(swwae_model_predict(model, images, n, all), SWWAE_OK);
    for (size_t i = 0; i < n; i += 50) {
        assert_int_equal(swwae_model_predict(model, images + i * PIXELS, 1, one), SWWAE_OK);
        assert_memory_equal(one, all + 3 * i, sizeof one);
        assert_true(fabsf(one[0] + one[1] + one[2] - 1) < 1e-6f);
    }
    assert_int_equal(swwae_model_set_threads(model, 3), SWWAE_OK);
    float *again = calloc(n * 3, sizeof *again);
    assert_int_equal(swwae_model_predict(model, images, n, again), SWWAE_OK);
    assert_memory_equal(all, again, n * 3 * sizeof *all);
    images[PIXELS * 2 + 5] = NAN;
    again[0] = 42;
    images[PIXELS + 1] = 255;
    assert_int_equal(swwae_model_predict(model, images, n, again), SWWAE_E_ARGUMENT);
    assert_non_null(strstr(swwae_last_error(), "image 1 holds the value 255, expected values from "
                                               "0 to 1; scale them first"));
    images[PIXELS + 1] = 1.1f;
    assert_int_equal(swwae_model_predict(model, images, n, again), SWWAE_E_ARGUMENT);
    assert_non_null(
        strstr(swwae_last_error(), "image 2 holds a value that is not a finite number"));
    assert_true(again[0] == 42);
    free(again);
    free(all);
    free(images);
    swwae_model_free(model);
}

static void test_softmax(void **state) {
    (void)state;
    float p[3];
    assert_true(model_softmax(p, (const float[]){1000, 1000, -1000}, 3));
    assert_true(p[0] == 0.5f && p[1] == 0.5f && p[2] == 0);
    assert_true(model_softmax(p, (const float[]){3e38f, -3e38f, 0}, 3));
    assert_true(p[0] == 1 && p[1] == 0 && p[2] == 0);
    assert_false(model_softmax(p, (const float[]){0, NAN, 0}, 3));
    assert_false(model_softmax(p, (const float[]){0, INFINITY, 0}, 3));
    assert_true(p[0] == 1);
}

static void test_reconstruct(void **state) {
    (void)state;
    swwae_model *model = make();
    const size_t n = MODEL_CHUNK + 5, bytes = PIXELS * sizeof(float);
    float *images = images_of(n), *out = calloc(n, bytes), *pair = calloc(2, bytes);
    float *two = calloc(2, bytes);
    for (int where = SWWAE_WHERE_OWN; where <= SWWAE_WHERE_OTHER; where++) {
        swwae_where w = (swwae_where)where;
        assert_int_equal(swwae_model_reconstruct(model, images, n, w, out), SWWAE_OK);
        for (size_t i = 0; i < n * PIXELS; i++) assert_true(out[i] >= 0 && out[i] <= 1);
        /* an image and its neighbour alone; the last image's neighbour is the first */
        const size_t places[] = {0, MODEL_CHUNK - 1, MODEL_CHUNK, n - 1};
        for (size_t k = 0; k < 4; k++) {
            size_t i = places[k], next = (i + 1) % n;
            memcpy(two, images + i * PIXELS, bytes);
            memcpy(two + PIXELS, images + next * PIXELS, bytes);
            assert_int_equal(swwae_model_reconstruct(model, two, 2, w, pair), SWWAE_OK);
            assert_memory_equal(pair, out + i * PIXELS, bytes);
        }
    }
    free(two);
    free(pair);
    free(out);
    free(images);
    swwae_model_free(model);
}

static void test_pure_autoencoder(void **state) {
    (void)state;
    swwae_model *model;
    float *images = images_of(2), out[2 * PIXELS];
    assert_int_equal(swwae_model_create(&model, "(4)3c-2p", 1, SIDE, SIDE, 1), SWWAE_OK);
    assert_int_equal(swwae_model_classes(model), 0);
    assert_null(swwae_model_class_name(model, 0));
    assert_int_equal(swwae_model_predict(model, images, 2, out), SWWAE_E_ARGUMENT);
    assert_int_equal(swwae_model_reconstruct(model, images, 2, SWWAE_WHERE_OWN, out), SWWAE_OK);
    assert_int_equal(swwae_model_save(model, temporary_path("pure.safetensors")), SWWAE_OK);
    swwae_model_free(model);
    assert_int_equal(swwae_model_load(&model, temporary_path("pure.safetensors")), SWWAE_OK);
    swwae_model_free(model);
    free(images);
}

/* ---- Measuring -------------------------------------------------------------------------- */

static swwae_dataset *data_of(size_t n, int side, int classes) {
    swwae_dataset *d;
    assert_int_equal(dataset_allocate(&d, n, 1, side, side, classes, classes > 0), SWWAE_OK);
    for (size_t i = 0; i < n * (size_t)(side * side); i++) d->images[i] = (uint8_t)(i * 41);
    for (size_t i = 0; classes && i < n; i++) d->labels[i] = (int32_t)(i % (size_t)classes);
    return d;
}

static int calls;
static int stop_at_once(const swwae_progress *progress, void *user) {
    (void)user;
    calls++;
    assert_string_equal(progress->what, "evaluate");
    assert_true(isnan(progress->loss) && isnan(progress->validation_error));
    return 1;
}

static void test_evaluate(void **state) {
    (void)state;
    swwae_model *model = make();
    const size_t n = 1100;
    swwae_dataset *d = data_of(n, SIDE, 3);
    d->labels[7] = -1;
    swwae_evaluation e;
    assert_int_equal(swwae_evaluate(model, d, NULL, NULL, &e), SWWAE_OK);
    /* the same by hand, from the public functions */
    float *images = malloc(n * PIXELS * sizeof *images), *out = malloc(n * PIXELS * sizeof *out);
    float *p = malloc(n * 3 * sizeof *p);
    for (size_t i = 0; i < n; i++) swwae_dataset_image(d, i, images + i * PIXELS);
    assert_int_equal(swwae_model_predict(model, images, n, p), SWWAE_OK);
    assert_int_equal(swwae_model_reconstruct(model, images, n, SWWAE_WHERE_OWN, out), SWWAE_OK);
    size_t wrong = 0, labelled = 0;
    double nll = 0, rec = 0;
    uint64_t confusion[9] = {0};
    for (size_t i = 0; i < n; i++) {
        int best = 0;
        for (int k = 1; k < 3; k++)
            if (p[3 * i + (size_t)k] > p[3 * i + (size_t)best]) best = k;
        for (size_t j = i * PIXELS; j < (i + 1) * PIXELS; j++)
            rec += (double)(images[j] - out[j]) * (double)(images[j] - out[j]);
        if (d->labels[i] < 0) continue;
        labelled++;
        wrong += best != d->labels[i];
        nll -= log((double)p[3 * i + (size_t)d->labels[i]]);
        confusion[3 * d->labels[i] + best]++;
    }
    assert_true(e.has_error && e.images == n && e.labelled == labelled && e.classes == 3);
    assert_true(e.error == 100 * (double)wrong / (double)labelled);
    assert_true(fabs(e.nll - nll / (double)labelled) < 1e-6 * e.nll);
    assert_true(fabs(e.rec - rec / (double)(n * PIXELS)) < 1e-6 * e.rec);
    assert_memory_equal(e.confusion, confusion, sizeof confusion);
    swwae_evaluation_clear(&e);
    assert_null(e.confusion);
    swwae_evaluation_clear(NULL);

    assert_int_equal(swwae_evaluate(model, d, stop_at_once, NULL, &e), SWWAE_E_INTERRUPTED);
    assert_int_equal(calls, 1);
    swwae_dataset_free(d);

    d = data_of(3, SIDE, 0); /* no labels */
    assert_int_equal(swwae_evaluate(model, d, NULL, NULL, &e), SWWAE_OK);
    assert_true(!e.has_error && e.labelled == 0 && !e.confusion && e.error == 0 && e.nll == 0);
    assert_true(e.rec > 0);
    swwae_dataset_free(d);
    free(images);
    free(out);
    free(p);
    swwae_model_free(model);
}

static void test_sizes(void **state) {
    (void)state;
    swwae_model *model = make();
    swwae_evaluation e;
    swwae_dataset *d = data_of(3, 6, 3);
    assert_int_equal(swwae_evaluate(model, d, NULL, NULL, &e), SWWAE_E_DATA);
    assert_string_equal(swwae_last_error(),
                        "the data has images of 1 x 6 x 6 (channels, height, width), but the model "
                        "works on 1 x 8 x 8; open the data with --pad 8");
    swwae_dataset_free(d);
    d = data_of(3, 9, 3);
    assert_int_equal(swwae_evaluate(model, d, NULL, NULL, &e), SWWAE_E_DATA);
    assert_null(strstr(swwae_last_error(), "--pad"));
    swwae_dataset_free(d);
    swwae_model_free(model);
}

static void test_describe(void **state) {
    (void)state;
    swwae_model *model = make();
    char *json = NULL;
    assert_int_equal(swwae_model_describe(model, &json), SWWAE_OK);
    const char *const parts[] = {"\"architecture\": \"(4)3c-2p-(6)3c-2p-3fc\"",
                                 "\"normalisation\": \"byte/255\"",
                                 "\"output\": \"sigmoid\"",
                                 "\"reduction\": \"sum\"",
                                 "\"data\": \"toys\"",
                                 "\"step\": 77",
                                 "\"lr\": 0.1",
                                 "\"name\": \"decoder.0.0\"",
                                 "\"inference\": "};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(json, parts[i])) fail_msg("no %s in %s", parts[i], json);
    swwae_text_free(json);
    swwae_text_free(NULL);
    assert_int_equal(swwae_model_describe(model, NULL), SWWAE_E_ARGUMENT);
    swwae_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_faulty_files),
        cmocka_unit_test(test_extra_tensor),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_reconstruct),
        cmocka_unit_test(test_pure_autoencoder),
        cmocka_unit_test(test_evaluate),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
