/* test_batches.c - who is in which batch, in the three regimes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/batches.h"

#define IMAGES 100
#define LABELLED 10
#define VALIDATION 12

/* Image i has label i % 10. Labelled: multiples of 10; validation: 1, 9, 17, ... */
struct world {
    uint32_t labelled[LABELLED], unlabelled[IMAGES], validation[VALIDATION];
    int32_t labels[IMAGES];
    char role[IMAGES]; /* 'l', 'u', 'v' */
    struct label_draw draw;
};

static struct world *world(void) {
    static struct world w;
    memset(&w, 0, sizeof w);
    size_t u = 0;
    memset(w.role, 'u', sizeof w.role);
    for (uint32_t i = 0; i < LABELLED; i++) w.role[w.labelled[i] = 10 * i] = 'l';
    for (uint32_t i = 0; i < VALIDATION; i++) w.role[w.validation[i] = 8 * i + 1] = 'v';
    for (uint32_t i = 0; i < IMAGES; i++) {
        w.labels[i] = (int32_t)(i % 10);
        if (w.role[i] == 'u') w.unlabelled[u++] = i;
    }
    w.draw = (struct label_draw){.labelled = w.labelled,
                                 .unlabelled = w.unlabelled,
                                 .validation = w.validation,
                                 .labelled_count = LABELLED,
                                 .unlabelled_count = u,
                                 .validation_count = VALIDATION};
    return &w;
}

static struct batches make(struct world *w, bool nll, bool decoder, int size, double share,
                           uint64_t seed) {
    struct batches batches;
    struct batches_options options = {
        .nll = nll, .unlabelled = decoder, .size = size, .labelled_share = share, .seed = seed};
    assert_int_equal(batches_create(&batches, &w->draw, w->labels, &options), SWWAE_OK);
    return batches;
}

static void test_supervised(void **state) {
    (void)state;
    struct world *w = world();
    struct batches b = make(w, true, false, 4, 0.25, 1);
    assert_int_equal(b.regime, REGIME_SUPERVISED);
    assert_int_equal(b.steps_an_epoch, 3);
    int seen[IMAGES] = {0};
    uint32_t images[4];
    int32_t labels[4];
    for (uint64_t step = 0; step < 5; step++) { /* 20 places: two passes over 10 images */
        batches_fill(&b, step, images, labels);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(w->role[images[i]], 'l');
            assert_int_equal(labels[i], w->labels[images[i]]);
            seen[images[i]]++;
        }
    }
    for (int i = 0; i < IMAGES; i++) assert_int_equal(seen[i], w->role[i] == 'l' ? 2 : 0);
    batches_free(&b);
}

static void test_unsupervised(void **state) {
    (void)state;
    struct world *w = world();
    struct batches b = make(w, false, true, 8, 0.25, 1);
    assert_int_equal(b.regime, REGIME_UNSUPERVISED);
    assert_int_equal(b.steps_an_epoch, 11); /* 88 images */
    int seen[IMAGES] = {0};
    uint32_t images[8];
    int32_t labels[8];
    for (uint64_t step = 0; step < 11; step++) {
        batches_fill(&b, step, images, labels);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(labels[i], -1);
            seen[images[i]]++;
        }
    }
    for (int i = 0; i < IMAGES; i++) assert_int_equal(seen[i], w->role[i] != 'v');
    batches_free(&b);
}

static void test_semi_supervised(void **state) {
    (void)state;
    struct world *w = world();
    struct batches b = make(w, true, true, 8, 0.25, 1);
    assert_int_equal(b.regime, REGIME_SEMI_SUPERVISED);
    assert_int_equal(b.labelled, 2);
    assert_int_equal(b.steps_an_epoch, 15); /* 90 others, 6 a batch */
    int seen[IMAGES] = {0};
    uint32_t images[8];
    int32_t labels[8];
    for (uint64_t step = 0; step < 15; step++) {
        batches_fill(&b, step, images, labels);
        for (int i = 0; i < 8; i++) {
            seen[images[i]]++;
            if (i < 2) {
                assert_int_equal(w->role[images[i]], 'l');
                assert_int_equal(labels[i], w->labels[images[i]]);
            } else { /* validation images show their pixels, never their label */
                assert_int_not_equal(w->role[images[i]], 'l');
                assert_int_equal(labels[i], -1);
            }
        }
    }
    for (int i = 0; i < IMAGES; i++) assert_int_equal(seen[i], w->role[i] == 'l' ? 3 : 1);
    batches_free(&b);
}

static void test_all_labelled(void **state) {
    (void)state;
    struct world *w = world();
    static uint32_t all[IMAGES];
    size_t n = 0;
    for (uint32_t i = 0; i < IMAGES; i++)
        if (w->role[i] != 'v') all[n++] = i;
    w->draw.labelled = all;
    w->draw.labelled_count = n;
    w->draw.unlabelled_count = 0;
    struct batches b = make(w, true, true, 8, 0.25, 1);
    assert_int_equal(b.regime, REGIME_SUPERVISED);
    assert_int_equal(b.steps_an_epoch, 11);
    uint32_t images[8];
    int32_t labels[8];
    for (uint64_t step = 0; step < 50; step++) {
        batches_fill(&b, step, images, labels);
        for (int i = 0; i < 8; i++) {
            assert_int_not_equal(w->role[images[i]], 'v');
            assert_int_equal(labels[i], w->labels[images[i]]);
        }
    }
    batches_free(&b);
}

static void test_share(void **state) {
    (void)state;
    struct world *w = world();
    const struct {
        int size;
        double share;
        int labelled;
    } cases[] = {{64, 0.25, 16}, {10, 0.25, 3}, {10, 0.001, 1}, {10, 0.999, 9}, {2, 0.5, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batches b = make(w, true, true, cases[i].size, cases[i].share, 1);
        assert_int_equal(b.labelled, cases[i].labelled);
        batches_free(&b);
    }
    struct batches b;
    struct batches_options one = {
        .nll = true, .unlabelled = true, .size = 1, .labelled_share = 0.5, .seed = 1};
    assert_int_equal(batches_create(&b, &w->draw, w->labels, &one), SWWAE_E_ARGUMENT);
    assert_non_null(strstr(swwae_last_error(), "option --batch"));
    w->draw.labelled_count = 0;
    one.size = 4;
    assert_int_equal(batches_create(&b, &w->draw, w->labels, &one), SWWAE_E_DATA);
}

/* A batch is a function of seed and step: any order of asking, any history. */
static void test_by_step(void **state) {
    (void)state;
    struct world *w = world();
    struct batches a = make(w, true, true, 8, 0.25, 7), b = make(w, true, true, 8, 0.25, 7);
    struct batches c = make(w, true, true, 8, 0.25, 8);
    uint32_t x[8], y[8], z[8];
    int32_t u[8], v[8];
    int differs = 0;
    for (uint64_t step = 0; step < 40; step++) batches_fill(&a, step, x, u);
    for (int i = 0; i < 40; i++) {
        uint64_t step = (uint64_t)(i * 17 % 40);
        batches_fill(&a, step, x, u);
        batches_fill(&b, (uint64_t)(39 - i), y, v); /* b walks backwards */
        batches_fill(&b, step, y, v);
        batches_fill(&c, step, z, v);
        assert_memory_equal(x, y, sizeof x);
        differs += memcmp(x, z, sizeof x) != 0;
    }
    assert_true(differs > 30);
    batches_fill(&a, UINT64_C(1) << 40, x, u); /* far away */
    batches_free(&a);
    batches_free(&b);
    batches_free(&c);
}

/* Passes differ, and each is a permutation, when a batch holds more than all images. */
static void test_short_data(void **state) {
    (void)state;
    struct world *w = world();
    w->draw.unlabelled_count = 0;
    w->draw.labelled_count = 3;
    struct batches b = make(w, true, false, 8, 0.25, 1);
    assert_int_equal(b.steps_an_epoch, 1);
    uint32_t images[8];
    int32_t labels[8];
    int seen[IMAGES] = {0};
    for (uint64_t step = 0; step < 3; step++) {
        batches_fill(&b, step, images, labels);
        for (int i = 0; i < 8; i++) seen[images[i]]++;
    }
    assert_true(seen[0] == 8 && seen[10] == 8 && seen[20] == 8);
    batches_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_supervised),      cmocka_unit_test(test_unsupervised),
        cmocka_unit_test(test_semi_supervised), cmocka_unit_test(test_all_labelled),
        cmocka_unit_test(test_share),           cmocka_unit_test(test_by_step),
        cmocka_unit_test(test_short_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
