/* test_labels.c - data/labels: balance, determinism, disjointness and every refusal. */
#include "data/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A data set of 1 x 1 images; image i is of class i % classes, or has no label where class_of
 * says -1. */
static struct swwae_dataset *make(size_t count, int classes) {
    struct swwae_dataset *d;
    assert_int_equal(dataset_allocate(&d, count, 1, 1, 1, classes, classes > 0), SWWAE_OK);
    snprintf(d->name, sizeof d->name, "toy");
    for (size_t i = 0; classes > 0 && i < count; i++) d->labels[i] = (int32_t)(i % (size_t)classes);
    return d;
}

static void count_classes(const struct swwae_dataset *d, const uint32_t *v, size_t n,
                          size_t *counts) {
    memset(counts, 0, 16 * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        if (d->labels[v[i]] >= 0) counts[d->labels[v[i]]]++;
}

static void check_sorted(const uint32_t *v, size_t n) {
    assert_non_null(v);
    for (size_t i = 1; i < n; i++) assert_true(v[i - 1] < v[i]);
}

/* Every image has exactly one role. */
static void check_partition(const struct swwae_dataset *d, const struct label_draw *draw) {
    check_sorted(draw->labelled, draw->labelled_count);
    check_sorted(draw->unlabelled, draw->unlabelled_count);
    check_sorted(draw->validation, draw->validation_count);
    assert_int_equal(draw->labelled_count + draw->unlabelled_count + draw->validation_count,
                     d->count);
    uint8_t *seen = calloc(d->count, 1);
    for (size_t i = 0; i < draw->labelled_count; i++) seen[draw->labelled[i]]++;
    for (size_t i = 0; i < draw->unlabelled_count; i++) seen[draw->unlabelled[i]]++;
    for (size_t i = 0; i < draw->validation_count; i++) seen[draw->validation[i]]++;
    for (size_t i = 0; i < d->count; i++) assert_int_equal(seen[i], 1);
    free(seen);
}

static void test_balance(void **state) {
    (void)state;
    struct swwae_dataset *d = make(1000, 10);
    static const struct {
        long labels;
        size_t validation, labelled;
    } cases[] = {{100, 200, 100}, {10, 0, 10},     {0, 100, 0}, {-1, 105, 895},
                 {-1, 0, 1000},   {900, 100, 900}, {0, 0, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct label_draw draw;
        size_t counts[16];
        assert_int_equal(labels_draw(&draw, d, cases[c].labels, cases[c].validation, 7), SWWAE_OK);
        check_partition(d, &draw);
        assert_int_equal(draw.labelled_count, cases[c].labelled);
        assert_int_equal(draw.validation_count, cases[c].validation);
        count_classes(d, draw.labelled, draw.labelled_count, counts);
        for (int k = 0; cases[c].labels >= 0 && k < 10; k++)
            assert_int_equal(counts[k], cases[c].labelled / 10);
        count_classes(d, draw.validation, draw.validation_count, counts);
        for (int k = 0; k < 10; k++) /* 105: five classes have one more */
            assert_in_range(counts[k], cases[c].validation / 10, (cases[c].validation + 9) / 10);
        labels_free(&draw);
    }
    swwae_dataset_free(d);
}

/* Around its own labelled images a draw comes out again, whatever its validation images. */
static void test_around(void **state) {
    (void)state;
    struct swwae_dataset *d = make(300, 3);
    for (int i = 0; i < 40; i++) d->labels[i] = -1;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct label_draw drawn, again;
        const size_t validation = (size_t)seed * 5;
        assert_int_equal(labels_draw(&drawn, d, 60, validation, seed), SWWAE_OK);
        assert_int_equal(
            labels_draw_around(&again, d, drawn.labelled, drawn.labelled_count, validation, seed),
            SWWAE_OK);
        check_partition(d, &again);
        assert_int_equal(again.labelled_count, 60);
        assert_int_equal(again.validation_count, validation);
        assert_memory_equal(again.labelled, drawn.labelled, 60 * sizeof *drawn.labelled);
        assert_memory_equal(again.validation, drawn.validation,
                            validation * sizeof *drawn.validation);
        labels_free(&drawn);
        labels_free(&again);
    }
    /* images that are not balanced, and all others for validation */
    static const uint32_t few[] = {41, 44, 47};
    struct label_draw draw;
    assert_int_equal(labels_draw_around(&draw, d, few, 3, 297, 1), SWWAE_OK);
    check_partition(d, &draw);
    assert_true(draw.labelled_count == 3 && draw.unlabelled_count == 0);
    labels_free(&draw);
    assert_int_equal(labels_draw_around(&draw, d, few, 3, 298, 1), SWWAE_E_DATA);
    swwae_dataset_free(d);
}

static void test_seeds(void **state) {
    (void)state;
    struct swwae_dataset *d = make(500, 5);
    struct label_draw a, b, c;
    assert_int_equal(labels_draw(&a, d, 50, 100, 3), SWWAE_OK);
    assert_int_equal(labels_draw(&b, d, 50, 100, 3), SWWAE_OK);
    assert_int_equal(labels_draw(&c, d, 50, 100, 4), SWWAE_OK);
    assert_memory_equal(a.labelled, b.labelled, 50 * sizeof(uint32_t));
    assert_memory_equal(a.validation, b.validation, 100 * sizeof(uint32_t));
    assert_memory_equal(a.unlabelled, b.unlabelled, 350 * sizeof(uint32_t));
    assert_memory_not_equal(a.labelled, c.labelled, 50 * sizeof(uint32_t));
    assert_memory_not_equal(a.validation, c.validation, 100 * sizeof(uint32_t));
    labels_free(&b);
    /* more labels: the same validation, a superset of labelled images */
    assert_int_equal(labels_draw(&b, d, 100, 100, 3), SWWAE_OK);
    assert_memory_equal(a.validation, b.validation, 100 * sizeof(uint32_t));
    size_t found = 0;
    for (size_t i = 0; i < 50; i++)
        for (size_t j = 0; j < 100; j++) found += a.labelled[i] == b.labelled[j];
    assert_int_equal(found, 50);
    labels_free(&a);
    labels_free(&b);
    labels_free(&c);
    swwae_dataset_free(d);
}

/* The draw is part of what "same seed" means: pinned. */
static void test_pinned(void **state) {
    (void)state;
    struct swwae_dataset *d = make(100, 5);
    struct label_draw draw;
    static const uint32_t labelled[10] = {0, 20, 28, 29, 36, 41, 58, 69, 77, 87};
    static const uint32_t validation[5] = {35, 44, 63, 96, 97};
    assert_int_equal(labels_draw(&draw, d, 10, 5, 1), SWWAE_OK);
    assert_memory_equal(draw.labelled, labelled, sizeof labelled);
    assert_memory_equal(draw.validation, validation, sizeof validation);
    labels_free(&draw);
    swwae_dataset_free(d);
}

/* Every image is as likely as any other: over many seeds each is drawn about equally often. */
static void test_uniform(void **state) {
    (void)state;
    enum { SEEDS = 2000, IMAGES = 40 };
    struct swwae_dataset *d = make(IMAGES, 4);
    int drawn[IMAGES] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct label_draw draw;
        assert_int_equal(labels_draw(&draw, d, 8, 8, seed), SWWAE_OK);
        for (size_t i = 0; i < draw.labelled_count; i++) drawn[draw.labelled[i]]++;
        labels_free(&draw);
    }
    /* binomial(2000, 1/5): mean 400, deviation sqrt(320) = 17.9; 5 deviations are 90 */
    for (int i = 0; i < IMAGES; i++) assert_in_range(drawn[i], 310, 490);
    swwae_dataset_free(d);
}

/* A class of less than twice its share of validation: the others give more. */
static void test_uneven(void **state) {
    (void)state;
    struct swwae_dataset *d = make(90, 3);
    for (size_t i = 0; i < 90; i++) d->labels[i] = i < 4 ? 2 : i < 14 ? 1 : 0;
    struct label_draw draw;
    size_t counts[16];
    assert_int_equal(labels_draw(&draw, d, 0, 30, 1), SWWAE_OK);
    check_partition(d, &draw);
    count_classes(d, draw.validation, 30, counts);
    assert_int_equal(counts[2], 2);
    assert_int_equal(counts[1], 5);
    assert_int_equal(counts[0], 23);
    labels_free(&draw);
    swwae_dataset_free(d);
}

/* Some images have no label: never labelled, held out only when nothing else is left. */
static void test_partly_labelled(void **state) {
    (void)state;
    struct swwae_dataset *d = make(60, 3);
    for (size_t i = 30; i < 60; i++) d->labels[i] = -1;
    struct label_draw draw;
    assert_int_equal(labels_draw(&draw, d, -1, 12, 1), SWWAE_OK);
    check_partition(d, &draw);
    assert_int_equal(draw.labelled_count, 18);
    for (size_t i = 0; i < 18; i++) assert_true(draw.labelled[i] < 30);
    for (size_t i = 0; i < 12; i++) assert_true(draw.validation[i] < 30);
    labels_free(&draw);
    assert_int_equal(labels_draw(&draw, d, 0, 40, 1), SWWAE_OK);
    check_partition(d, &draw);
    assert_int_equal(draw.validation_count, 40);
    labels_free(&draw);
    assert_int_equal(labels_draw(&draw, d, -1, 40, 1), SWWAE_E_DATA); /* no label is left */
    swwae_dataset_free(d);
}

/* A rare class gives half of its images at most while the others have more, and one of one image
 * none. */
static void test_rare(void **state) {
    (void)state;
    struct swwae_dataset *d = make(615, 3);
    for (size_t i = 0; i < 615; i++) d->labels[i] = i < 300 ? 0 : i < 600 ? 1 : 2;
    struct label_draw draw;
    size_t counts[16];
    assert_int_equal(labels_draw(&draw, d, -1, 51, 1), SWWAE_OK);
    check_partition(d, &draw);
    count_classes(d, draw.validation, draw.validation_count, counts);
    assert_true(counts[0] == 22 && counts[1] == 22 && counts[2] == 7);
    labels_free(&draw);
    for (size_t i = 601; i < 615; i++) d->labels[i] = 0;
    assert_int_equal(labels_draw(&draw, d, -1, 306, 1), SWWAE_OK);
    count_classes(d, draw.labelled, draw.labelled_count, counts);
    assert_int_equal(counts[2], 1);
    labels_free(&draw);
    assert_int_equal(labels_draw(&draw, d, 0, 610, 1), SWWAE_OK); /* there is no other way */
    assert_int_equal(draw.validation_count, 610);
    labels_free(&draw);
    swwae_dataset_free(d);
}

static void test_no_labels(void **state) {
    (void)state;
    struct swwae_dataset *d = make(50, 0);
    struct label_draw draw;
    assert_int_equal(labels_draw(&draw, d, 0, 10, 1), SWWAE_OK);
    check_partition(d, &draw);
    assert_int_equal(draw.labelled_count, 0);
    assert_int_equal(draw.validation_count, 10);
    labels_free(&draw);
    assert_int_equal(labels_draw(&draw, d, -1, 10, 1), SWWAE_E_DATA);
    assert_non_null(strstr(swwae_last_error(), "toy has no labels"));
    assert_int_equal(labels_draw(&draw, d, 10, 10, 1), SWWAE_E_DATA);
    swwae_dataset_free(d);
}

static void test_refusals(void **state) {
    (void)state;
    struct swwae_dataset *d = make(100, 10);
    static const struct {
        long labels;
        size_t validation;
        swwae_status status;
        const char *words;
    } cases[] = {{15, 0, SWWAE_E_DATA, "multiple of 10"},
                 {-2, 0, SWWAE_E_ARGUMENT, "-2"},
                 {110, 0, SWWAE_E_DATA, "has only 10 left"},
                 {100, 1, SWWAE_E_DATA, "class \"0\" of toy has only 9 left"},
                 {0, 100, SWWAE_E_DATA, "leave none of the 100"},
                 {0, SIZE_MAX, SWWAE_E_DATA, "leave none of the 100"}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct label_draw draw = {.labelled_count = 99};
        assert_int_equal(labels_draw(&draw, d, cases[c].labels, cases[c].validation, 1),
                         cases[c].status);
        assert_int_equal(draw.labelled_count, 99); /* untouched */
        if (!strstr(swwae_last_error(), cases[c].words)) fail_msg("%s", swwae_last_error());
    }
    swwae_dataset_free(d);
    labels_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balance),         cmocka_unit_test(test_around),
        cmocka_unit_test(test_seeds),           cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_uniform),         cmocka_unit_test(test_uneven),
        cmocka_unit_test(test_partly_labelled), cmocka_unit_test(test_no_labels),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_rare)};
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
