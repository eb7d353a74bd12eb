#include "study/study.h"
static swwae_status run(struct study *study) {
    (void)study;
    return status_set(SWWAE_E_INTERNAL, "not yet");
}
static const struct study_value values[] = {{NULL, NULL, NULL}};
static const char *const fixed[] = {NULL};
const struct study_kind study_equivariance = {.info = {"equivariance", "x", "y"},
                                              .seeds = 5,
                                              .quick_seeds = 2,
                                              .values = values,
                                              .fixed = fixed,
                                              .run = run};
