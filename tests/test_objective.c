/* test_objective.c - which losses are accepted, and how much of the decoder each needs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/objective.h"

struct networks {
    struct network one, three, three_fc;
};

static int set_up(void **state) {
    static struct networks n;
    *state = &n;
    return network_build(&n.one, "(4)3c-2p", 1, 8, 8, NULL) ||
           network_build(&n.three, "(4)3c-2p-(4)3c-2p-(4)3c-2p", 1, 8, 8, NULL) ||
           network_build(&n.three_fc, "(4)3c-2p-(4)3c-2p-(4)3c-2p-10fc", 1, 8, 8, NULL);
}

static int tear_down(void **state) {
    struct networks *n = *state;
    network_clear(&n->one);
    network_clear(&n->three);
    network_clear(&n->three_fc);
    return 0;
}

static void accepts(const struct objective *objective, const struct network *network, int bottom) {
    if (objective_check(objective, network)) fail_msg("%s", swwae_last_error());
    assert_int_equal(objective_decoder_bottom(objective, network), bottom);
}

static void refuses(const struct objective *objective, const struct network *network,
                    const char *message) {
    assert_int_equal(objective_check(objective, network), SWWAE_E_ARGUMENT);
    assert_string_equal(swwae_last_error(), message);
}

static void finds_the_lowest_stage_needed(void **state) {
    const struct networks *n = *state;
    accepts(&(struct objective){.nll = 1}, &n->three_fc, 3); /* supervised: no decoder */
    accepts(&(struct objective){.nll = 1, .rec = 1, .m = {1, 1}}, &n->three_fc, 0);
    accepts(&(struct objective){.rec = 0.5}, &n->three, 0);
    accepts(&(struct objective){.rec = 0.5}, &n->one, 0);
    accepts(&(struct objective){.m = {1, 1}}, &n->three, 1);
    accepts(&(struct objective){.m = {0, 1}}, &n->three, 2);
    accepts(&(struct objective){.rec = 1e-300, .m = {0, 1}}, &n->three, 0);
    /* a weight at the top or past it asks for nothing */
    accepts(&(struct objective){.nll = 1, .m = {0, 0, 1, 1}}, &n->three_fc, 3);
}

static void wants_one_term(void **state) {
    const struct networks *n = *state;
    static const char off[] =
        "every term of the loss is off, expected a positive weight for classification, "
        "reconstruction or, with two stages or more, an intermediate term below the top";
    refuses(&(struct objective){0}, &n->three_fc, off);
    refuses(&(struct objective){.m = {1}}, &n->one, off); /* always 0 there */
    refuses(&(struct objective){.m = {0, 0, 1}}, &n->three, off);
}

static void wants_classes_for_classification(void **state) {
    const struct networks *n = *state;
    refuses(&(struct objective){.nll = 2, .rec = 1}, &n->three,
            "the weight of the classification term is 2, but the architecture has no fully "
            "connected layer; add one such as 10fc or set the weight to 0");
}

static void refuses_bad_weights(void **state) {
    const struct networks *n = *state;
    refuses(&(struct objective){.nll = -1, .rec = 1}, &n->three_fc,
            "the weight of the classification term is -1, expected 0 or a positive finite number");
    refuses(
        &(struct objective){.nll = 1, .rec = -0.5}, &n->three_fc,
        "the weight of the reconstruction term is -0.5, expected 0 or a positive finite number");
    refuses(&(struct objective){.rec = (double)INFINITY}, &n->three,
            "the weight of the reconstruction term is inf, expected 0 or a positive finite number");
    refuses(&(struct objective){.rec = 1, .m = {0, -2}}, &n->three,
            "the weight of the intermediate term of stage 1 is -2, expected 0 or a positive finite "
            "number");
    /* one that is not used is still wrong */
    refuses(&(struct objective){.rec = 1, .m = {[11] = -2}}, &n->three,
            "the weight of the intermediate term of stage 11 is -2, expected 0 or a positive "
            "finite number");
    /* the sign of a NaN is printed by some C libraries */
    assert_int_equal(objective_check(&(struct objective){.rec = (double)NAN}, &n->three),
                     SWWAE_E_ARGUMENT);
    assert_int_equal(objective_check(&(struct objective){.rec = 1, .nll = (double)NAN}, &n->three),
                     SWWAE_E_ARGUMENT);
    assert_int_equal(objective_check(&(struct objective){.rec = 1, .m = {(double)NAN}}, &n->three),
                     SWWAE_E_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_lowest_stage_needed),
        cmocka_unit_test(wants_one_term),
        cmocka_unit_test(wants_classes_for_classification),
        cmocka_unit_test(refuses_bad_weights),
    };
    return cmocka_run_group_tests_name("objective", tests, set_up, tear_down);
}
