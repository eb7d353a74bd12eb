/* test_teacher.c - what unlabelled images are told to agree with: thresholds, balance, growth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/teacher.h"

/* A net of 1 x 1 images and two pools of nothing whose logits are linear in the pixel. */
static struct swwae_model *model_of(const float weight[3], const float bias[3]) {
    struct swwae_model *model;
    const struct variant variant = {.output = OUTPUT_LINEAR};
    assert_int_equal(model_create(&model, "(1)1c-2p-3fc", 1, 1, 1, &variant), SWWAE_OK);
    model->threads = 1;
    for (size_t v = 0; v < model->network.view_count; v++) {
        const struct view *view = &model->network.view[v];
        if (!strcmp(view->name, "encoder.0.0.weight")) model->parameters[view->offset] = 1;
        if (!strcmp(view->name, "classifier.0.weight"))
            memcpy(model->parameters + view->offset, weight, 3 * sizeof *weight);
        if (!strcmp(view->name, "classifier.0.bias"))
            memcpy(model->parameters + view->offset, bias, 3 * sizeof *bias);
    }
    return model;
}

static struct teacher teacher_of(const struct settings *settings) {
    struct teacher teacher;
    assert_int_equal(teacher_create(&teacher, settings, 3), SWWAE_OK);
    return teacher;
}

/* Image x has the logits (0, 4 x, 0): class 1 with probability e^4x / (e^4x + 2). */
static void test_threshold(void **state) {
    (void)state;
    struct swwae_model *model = model_of((float[]){0, 4, 0}, (float[]){0, 0, 0});
    struct settings s = {.batch = 4, .pseudo_labels = 0.9, .pseudo_weight = 2, .ramp = 0.5};
    struct teacher t = teacher_of(&s);
    struct agreement a;
    const float images[] = {1, 1, 0.5f, 0};
    assert_int_equal(teacher_ask(&t, &a, model, images, 1, 4, 10, 100), SWWAE_OK);
    assert_int_equal(a.guesses[0], -1); /* has a label */
    assert_int_equal(a.guesses[1], 1);  /* 0.965 */
    assert_int_equal(a.guesses[2], -1); /* 0.787 */
    assert_int_equal(a.guesses[3], -1); /* a third */
    for (int i = 1; i < 4; i++) {
        const double e = exp(4 * (double)images[i]), p = e / (e + 2);
        assert_true(fabs((double)a.targets[i * 3 + 1] - p) < 1e-6);
        assert_true(fabs((double)a.targets[i * 3] - (1 - p) / 2) < 1e-6);
    }
    assert_true(fabs(a.pseudo - 2 * 0.2) < 1e-12); /* step 10 of the 50 it grows in */
    assert_true(a.consistency == 0);
    assert_int_equal(teacher_ask(&t, &a, model, images, 1, 4, 60, 100), SWWAE_OK);
    assert_true(a.pseudo == 2);
    assert_int_equal(teacher_ask(&t, &a, model, images, 4, 4, 60, 100), SWWAE_OK);
    assert_true(a.pseudo == 0 && a.consistency == 0); /* nobody to ask */
    teacher_free(&t);
    s = (struct settings){.batch = 4, .consistency = 3, .pseudo_weight = 1};
    t = teacher_of(&s);
    assert_int_equal(teacher_ask(&t, &a, model, images, 0, 4, 0, 100), SWWAE_OK);
    assert_true(a.pseudo == 0 && a.consistency == 3); /* no ramp */
    teacher_free(&t);
    s = (struct settings){.batch = 4};
    t = teacher_of(&s);
    assert_null(t.targets);
    teacher_free(&t);
    model_free(model);
}

/* A model that always names class 1 with 0.8: it loses its confidence in that class, not in the
 * others. */
static void test_balance(void **state) {
    (void)state;
    struct swwae_model *model = model_of((float[]){0, 0, 0}, (float[]){0, (float)log(8.0), 0});
    struct settings s = {
        .batch = 2, .pseudo_labels = 0.75, .pseudo_weight = 1, .balance = 1, .ramp = 0};
    struct teacher t = teacher_of(&s);
    struct agreement a;
    const float images[] = {0, 0};
    assert_int_equal(teacher_ask(&t, &a, model, images, 0, 2, 0, 1000), SWWAE_OK);
    assert_int_equal(a.guesses[0], 1);
    for (uint64_t step = 1; step < 1000; step++)
        assert_int_equal(teacher_ask(&t, &a, model, images, 0, 2, step, 1000), SWWAE_OK);
    assert_true(fabs((double)t.shares[1] - 0.8) < 1e-3); /* 0.99^1000 of a half is left */
    assert_int_equal(a.guesses[0], -1); /* 0.8 / 0.8 beside 0.1 / 0.1: no more than a third */
    s.balance = 0;
    teacher_free(&t);
    t = teacher_of(&s);
    for (uint64_t step = 0; step < 100; step++)
        assert_int_equal(teacher_ask(&t, &a, model, images, 0, 2, step, 1000), SWWAE_OK);
    assert_int_equal(a.guesses[0], 1);
    teacher_free(&t);
    model_free(model);
}

static void test_not_finite(void **state) {
    (void)state;
    struct swwae_model *model = model_of((float[]){0, 0, 0}, (float[]){0, INFINITY, 0});
    struct settings s = {.batch = 1, .pseudo_labels = 0.5, .pseudo_weight = 1};
    struct teacher t = teacher_of(&s);
    struct agreement a;
    assert_int_equal(teacher_ask(&t, &a, model, (float[]){0}, 0, 1, 6, 10), SWWAE_E_NUMERIC);
    assert_non_null(strstr(swwae_last_error(), "step 7: the answer"));
    teacher_free(&t);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
