/* fit.c - what the data at hand asks of a study's options, where the user gave none: padding, test
 * images, contrast and a network for photographs, as many answers as there are classes. */
#include <stdio.h>
#include <stdlib.h>

#include "data/dataset.h"
#include "study/study.h"
#include "train/options.h"
#include "train/recipe.h"

#define PAD 32          /* smaller images are padded to 32 x 32, as in the paper */
#define TEST_PART 5     /* of data without test images, one of so many is held out ... */
#define TEST_MOST 10000 /* ... and no more than this */

/* For photographs of 32 x 32; a training step costs 2.9 times the multiplications of the study's
 * own, and a twenty-ninth of the paper's net for CIFAR-10. */
#define PHOTO_ARCH "(32)3c-(32)3c-2p-(64)3c-(64)3c-2p-(128)3c-(128)3c-2p-10fc"

static bool is_free(const struct study *study, const char *name) {
    return !options_given(study->given, name);
}

static swwae_status set_number(struct study *study, const char *name, long number) {
    char text[24];
    snprintf(text, sizeof text, "%ld", number);
    return swwae_options_set(study->options, name, text);
}

static swwae_status fit_pad(struct study *study, const swwae_dataset *dataset) {
    const int height = dataset->height, width = dataset->width;
    const bool smaller = height <= PAD && width <= PAD && (height < PAD || width < PAD);
    return smaller && is_free(study, "pad") ? set_number(study, "pad", PAD) : SWWAE_OK;
}

/* Some of the training images are the test images where there are no others. */
static swwae_status fit_test(struct study *study, const swwae_dataset *dataset) {
    if (!is_free(study, "test-count") ||
        swwae_dataset_is_there(swwae_options_get(study->options, "data"), SWWAE_SPLIT_TEST))
        return SWWAE_OK;
    const size_t labelled = dataset_labelled(dataset);
    const size_t part = (labelled ? labelled : dataset->count) / TEST_PART;
    const long count = (long)(part < TEST_MOST ? part : TEST_MOST);
    const swwae_status status = set_number(study, "test-count", count);
    if (status != SWWAE_OK) return status;
    return study_say(study, "%s has no test images: %ld of its training images are held out",
                     dataset->name, count);
}

/* How many labels a table can ask for: every class has as many, and the smallest one gives a half
 * each to test and to validation at most. */
static swwae_status count_labels(struct study *study, const swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    size_t *counts = dataset_class_counts(dataset), least = SIZE_MAX;
    CHECK(counts, SWWAE_E_MEMORY, "no memory for the numbers of labels");
    for (int k = 0; k < dataset->classes; k++)
        if (counts[k] < least) least = counts[k];
    const size_t labelled = dataset_labelled(dataset), even = least / 4 * (size_t)dataset->classes;
    study->labels_most = dataset->classes ? (long)(even < labelled / 2 ? even : labelled / 2) : 0;
fail:
    free(counts);
    return status;
}

swwae_status study_fit(struct study *study, const swwae_dataset *dataset) {
    swwae_status status = SWWAE_OK;
    TRY(fit_pad(study, dataset));
    TRY(fit_test(study, dataset));
    study->colour = dataset->channels > 1;
    study->classes = dataset->classes;
    TRY(count_labels(study, dataset));
    if (!study->kind->table) return SWWAE_OK;
    if (study->colour && is_free(study, "contrast"))
        TRY(swwae_options_set(study->options, "contrast", "image"));
    if (!is_free(study, "arch")) return SWWAE_OK;
    if (study->colour) TRY(swwae_options_set(study->options, "arch", PHOTO_ARCH));
    TRY(recipe_end_in(study->options, dataset->classes));
fail:
    return status;
}
