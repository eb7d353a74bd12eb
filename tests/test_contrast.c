/* test_contrast.c - contrast normalisation: its numbers, a training with it, the model it leaves.
 */
#include "runs.h"

#include "train/contrast.h"
#include "train/model.h"

#define PIXELS (32 * 32)

static void test_numbers(void **state) {
    (void)state;
    const float image[4] = {0.1f, 0.5f, 0.5f, 0.9f};
    float out[4];
    struct contrast c = contrast_of(image, 4);
    assert_float_equal(c.mean, 0.5, 1e-6);
    assert_float_equal(c.deviation, sqrt(0.08), 1e-6);
    contrast_apply(out, image, c, 4);
    assert_float_equal(out[0], -0.4 / sqrt(0.08), 1e-5);
    assert_float_equal(out[0] + out[1] + out[2] + out[3], 0, 1e-6);
    contrast_undo(out, c, 4);
    for (int i = 0; i < 4; i++) assert_float_equal(out[i], image[i], 1e-6);

    const float even[3] = {0.3f, 0.3f, 0.3f}; /* nothing to divide by */
    c = contrast_of(even, 3);
    assert_true(c.deviation == CONTRAST_LEAST);
    contrast_apply(out, even, c, 3);
    for (int i = 0; i < 3; i++) assert_float_equal(out[i], 0, 1e-4);
    c = contrast_of(image, 1); /* one value */
    assert_true(c.mean == image[0] && c.deviation == CONTRAST_LEAST);
}

/* A model of a training with it is the plain net on standardised images. */
static void test_training(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "plain", "steps", "20", NULL));
    seen = unseen(NULL);
    well(train(&seen, "contrast", "contrast", "image", "steps", "20", NULL));
    assert_false(metrics_have("contrast", "nan"));
    char *plain = metrics_of("plain"), *other = metrics_of("contrast");
    assert_string_not_equal(plain, other);
    free(plain);
    free(other);

    swwae_model *model;
    well(swwae_model_load(&model, temporary_path("contrast")));
    assert_true(model->contrast);
    struct swwae_dataset *d;
    well(swwae_dataset_open(&d, small_data(), SWWAE_SPLIT_TRAIN, 0));
    float images[3 * PIXELS], standard[3 * PIXELS], dim[3 * PIXELS];
    float rebuilt[3 * PIXELS], expected[3 * PIXELS], p[3][30];
    struct contrast c[3];
    for (size_t i = 0; i < 3; i++) {
        float *image = images + i * PIXELS;
        dataset_image(d, i, image);
        c[i] = contrast_of(image, PIXELS);
        contrast_apply(standard + i * PIXELS, image, c[i], PIXELS);
        for (int k = 0; k < PIXELS; k++) dim[i * PIXELS + (size_t)k] = 0.25f + image[k] / 2;
    }
    well(swwae_model_predict(model, images, 3, p[0]));
    well(swwae_model_predict(model, dim, 3, p[1]));
    well(swwae_model_reconstruct(model, images, 3, SWWAE_WHERE_OWN, rebuilt));
    model->contrast = false;
    well(swwae_model_predict(model, standard, 3, p[2]));
    well(swwae_model_reconstruct(model, standard, 3, SWWAE_WHERE_OWN, expected));
    assert_memory_equal(p[0], p[2], sizeof p[0]);
    /* brightness and contrast are nothing to it; rounding apart, which a switch may magnify */
    for (int i = 0; i < 30; i++) assert_float_equal(p[0][i], p[1][i], 1e-3);
    for (size_t i = 0; i < 3; i++) contrast_undo(expected + i * PIXELS, c[i], PIXELS);
    assert_memory_equal(rebuilt, expected, sizeof rebuilt);
    swwae_model_free(model);
    swwae_dataset_free(d);
}

static void test_refusals(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    says(train(&seen, "none", "contrast", "image", "output", "sigmoid", NULL), SWWAE_E_ARGUMENT,
         "option --output: \"sigmoid\" found, but the values that --contrast image rebuilds");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
