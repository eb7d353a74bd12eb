/* test_rng.c - the random streams: pinned values, ranges, and derived statistical bounds. Seeds
 * are fixed, so a test that passes once passes always; the bounds show that it passes fairly. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* The generator's published test vector: state 1, 2, 3, 4. */
static void matches_the_published_generator(void **state) {
    (void)state;
    struct rng rng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < 4; i++) assert_true(rng_next(&rng) == expected[i]);
}

/* Computed by a separate program; a change here changes what every saved seed means. */
static void keeps_its_streams(void **state) {
    (void)state;
    static const struct {
        uint64_t seed;
        enum rng_purpose purpose;
        uint64_t index, first[3];
    } pins[] = {
        {0, RNG_WEIGHTS, 0, {0x6f0c221987108fb2, 0x068a99bcd127fe03, 0x35c925a786232a40}},
        {1, RNG_WEIGHTS, 0, {0x0040b293030dc336, 0xa1e4967b50ae2534, 0x4cefc7e016b26cd0}},
        {1, RNG_ORDER, 7, {0x118efcd12cf87b4c, 0x1fbc3a4d88f6ad83, 0x1301b31b2d764594}},
        {UINT64_MAX,
         RNG_VALIDATION,
         UINT64_MAX,
         {0xab78f7f4b1872fb2, 0x1f5f930230ea1fd5, 0x8c06266b6ea4a921}},
    };
    for (size_t i = 0; i < sizeof pins / sizeof *pins; i++) {
        struct rng rng = rng_stream(pins[i].seed, pins[i].purpose, pins[i].index);
        for (size_t k = 0; k < 3; k++) assert_true(rng_next(&rng) == pins[i].first[k]);
    }
    struct rng rng = rng_stream(1, RNG_ORDER, 0);
    assert_true(rng_uniform(&rng) == 0x1.6f2fbd2045275p-1);
    assert_true(rng_uniform(&rng) == 0x1.671996ad065e7p-1);
    assert_true(rng_uniform(&rng) == 0x1.9deea6d3af474p-3);
    rng = rng_stream(1, RNG_SHAPES, 0);
    static const uint64_t below[] = {502, 772, 218, 17, 921, 610, 532, 730};
    for (size_t i = 0; i < 8; i++) assert_true(rng_below(&rng, 1000) == below[i]);
    rng = rng_stream(1, RNG_ORDER, 0);
    uint32_t v[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const uint32_t shuffled[10] = {8, 9, 2, 0, 6, 7, 4, 3, 1, 5};
    rng_shuffle(&rng, v, 10);
    assert_memory_equal(v, shuffled, sizeof v);
}

/* Chi-square with k degrees of freedom is past this with a probability of about 1e-6 (Wilson and
 * Hilferty: its cube root is close to normal; 4.75 standard deviations). */
static double chi_square_limit(double k) {
    return k * pow(1 - 2 / (9 * k) + 4.75 * sqrt(2 / (9 * k)), 3);
}

static double chi_square(const uint32_t *count, size_t bins, double expected) {
    double sum = 0;
    for (size_t i = 0; i < bins; i++) sum += pow(count[i] - expected, 2) / expected;
    return sum;
}

static void draws_uniformly(void **state) {
    (void)state;
    enum { DRAWS = 1000000, BINS = 1000 };
    struct rng rng = rng_stream(3, RNG_LABELS, 0);
    uint32_t count[BINS] = {0};
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        double u = rng_uniform(&rng);
        assert_true(u >= 0 && u < 1);
        count[(size_t)(u * BINS)]++;
        sum += u;
    }
    assert_true(chi_square(count, BINS, (double)DRAWS / BINS) < chi_square_limit(BINS - 1));
    /* the mean's standard error is 1 / sqrt(12 n) */
    assert_true(fabs(sum / DRAWS - 0.5) < 4.75 / sqrt(12.0 * DRAWS));
    /* 1 is out of reach: a state whose next output is all ones (9 and 5 are invertible mod 2^64) */
    rng = (struct rng){{0, UINT64_C(0x4fc71c71c71c71c7), 0, 0}};
    assert_true(rng_uniform(&rng) == 1 - 0x1p-53);
}

static void draws_below_without_bias(void **state) {
    (void)state;
    enum { DRAWS = 300000 };
    static const uint64_t bounds[] = {2, 3, 7, 10, 100};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        struct rng rng = rng_stream(5, RNG_ORDER, b);
        uint32_t count[100] = {0};
        for (int i = 0; i < DRAWS; i++) {
            uint64_t x = rng_below(&rng, bounds[b]);
            assert_true(x < bounds[b]);
            count[x]++;
        }
        assert_true(chi_square(count, bounds[b], (double)DRAWS / (double)bounds[b]) <
                    chi_square_limit((double)(bounds[b] - 1)));
    }
    /* 3/4 of the range: a plain remainder would draw the lowest third twice as often */
    const uint64_t bound = 3 * (UINT64_C(1) << 62);
    struct rng rng = rng_stream(5, RNG_SHAPES, 0);
    uint32_t count[3] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t x = rng_below(&rng, bound);
        assert_true(x < bound);
        count[x >> 62]++;
    }
    assert_true(chi_square(count, 3, DRAWS / 3.0) < chi_square_limit(2));
    for (int i = 0; i < 100; i++) assert_true(rng_below(&rng, 1) == 0);
    for (int i = 0; i < 100; i++) assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void shuffles_to_permutations(void **state) {
    (void)state;
    enum { N = 10007 };
    static uint32_t v[N], seen[N];
    struct rng rng = rng_stream(9, RNG_ORDER, 1);
    rng_shuffle(&rng, NULL, 0);
    v[0] = 123;
    rng_shuffle(&rng, v, 1);
    assert_int_equal(v[0], 123);
    for (uint32_t i = 0; i < N; i++) v[i] = i;
    rng_shuffle(&rng, v, N);
    size_t fixed = 0;
    for (size_t i = 0; i < N; i++) {
        assert_true(v[i] < N);
        assert_int_equal(seen[v[i]]++, 0);
        fixed += v[i] == i;
    }
    assert_true(fixed < 12); /* Poisson of mean 1: 12 or more with probability 8e-10 */

    /* every one of the 24 orders of four things is as likely */
    enum { DRAWS = 240000 };
    uint32_t count[256] = {0}, orders[24];
    size_t found = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint32_t w[4] = {0, 1, 2, 3};
        rng_shuffle(&rng, w, 4);
        count[w[0] << 6 | w[1] << 4 | w[2] << 2 | w[3]]++;
    }
    for (size_t i = 0; i < 256; i++)
        if (count[i]) {
            assert_true(found < 24);
            orders[found++] = count[i];
        }
    assert_int_equal(found, 24);
    assert_true(chi_square(orders, 24, DRAWS / 24.0) < chi_square_limit(23));
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int bits(uint64_t x) {
    int n = 0;
    for (; x; x &= x - 1) n++;
    return n;
}

static void separates_streams(void **state) {
    (void)state;
    enum {
        SEEDS = 8,
        PURPOSES = 6,
        INDICES = 64,
        DRAWS = 16,
        STREAMS = SEEDS * PURPOSES * INDICES
    };
    static uint64_t value[STREAMS * DRAWS], first[SEEDS][PURPOSES][INDICES];
    size_t n = 0;
    for (uint64_t s = 0; s < SEEDS; s++)
        for (int p = 0; p < PURPOSES; p++)
            for (uint64_t i = 0; i < INDICES; i++) {
                struct rng rng = rng_stream(s, (enum rng_purpose)(p + 1), i);
                for (int k = 0; k < DRAWS; k++) value[n++] = rng_next(&rng);
                first[s][p][i] = value[n - DRAWS];
            }
    /* Neighbours in each part of the triple differ in half of their 64 bits: the standard error
     * of the mean over m pairs is 4 / sqrt(m). */
    double by_seed = 0, by_purpose = 0, by_index = 0;
    for (int s = 1; s < SEEDS; s++)
        for (int p = 1; p < PURPOSES; p++)
            for (int i = 1; i < INDICES; i++) {
                by_seed += bits(first[s][p][i] ^ first[s - 1][p][i]);
                by_purpose += bits(first[s][p][i] ^ first[s][p - 1][i]);
                by_index += bits(first[s][p][i] ^ first[s][p][i - 1]);
            }
    const double pairs = (SEEDS - 1) * (PURPOSES - 1) * (INDICES - 1);
    assert_true(fabs(by_seed / pairs - 32) < 4.75 * 4 / sqrt(pairs));
    assert_true(fabs(by_purpose / pairs - 32) < 4.75 * 4 / sqrt(pairs));
    assert_true(fabs(by_index / pairs - 32) < 4.75 * 4 / sqrt(pairs));
    /* 49152 values of 64 bits meet with probability 7e-11: no two streams share a stretch */
    qsort(value, n, sizeof *value, compare);
    for (size_t i = 1; i < n; i++) assert_true(value[i] != value[i - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_published_generator),
        cmocka_unit_test(keeps_its_streams),
        cmocka_unit_test(draws_uniformly),
        cmocka_unit_test(draws_below_without_bias),
        cmocka_unit_test(shuffles_to_permutations),
        cmocka_unit_test(separates_streams),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
