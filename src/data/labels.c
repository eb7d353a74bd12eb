/* labels.c - the balanced draw of labelled and validation images; see labels.h. */
#include "data/labels.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum role { ROLE_UNLABELLED = 0, ROLE_LABELLED, ROLE_VALIDATION, ROLES };

/* Work of one draw. Class `classes` stands for images without a label. */
struct work {
    const struct swwae_dataset *dataset;
    uint8_t *roles;    /* (count) enum role */
    uint32_t *order;   /* (count) a shuffled order to take images in */
    size_t *total;     /* (classes + 1) images */
    size_t *available; /* (classes + 1) of these without a role yet */
    size_t *quota;     /* (classes + 1) images still to take */
};

static int class_of(const struct swwae_dataset *dataset, size_t i) {
    int32_t label = dataset->labels ? dataset->labels[i] : -1;
    return label >= 0 && label < dataset->classes ? label : dataset->classes;
}

/* Gives a role to the first quota[class] images of each class in a shuffled order. */
static void assign(struct work *work, enum role role, struct rng rng) {
    size_t n = work->dataset->count;
    for (size_t i = 0; i < n; i++) work->order[i] = (uint32_t)i;
    rng_shuffle(&rng, work->order, n);
    for (size_t j = 0; j < n; j++) {
        size_t i = work->order[j];
        int k = class_of(work->dataset, i);
        if (work->roles[i] != ROLE_UNLABELLED || work->quota[k] == 0) continue;
        work->quota[k]--;
        work->available[k]--;
        work->roles[i] = (uint8_t)role;
    }
}

/* Spreads `validation` images over the classes, one each in turn: up to half of a class, so that a
 * rare one keeps images to learn from, and then what is left of them. Images without a label only
 * when those with one are used up. */
static void spread(struct work *work, size_t validation) {
    const int classes = work->dataset->classes;
    for (int part = 2; part >= 1; part--)
        for (bool any = true; validation > 0 && any;) {
            any = false;
            for (int k = 0; k < classes && validation > 0; k++)
                if (work->quota[k] < work->available[k] &&
                    work->quota[k] < work->total[k] / (size_t)part) {
                    work->quota[k]++;
                    validation--;
                    any = true;
                }
        }
    work->quota[classes] = validation; /* no more than there are: checked by the caller */
}

static swwae_status set_label_quota(struct work *work, long labels) {
    swwae_status status = SWWAE_OK;
    const struct swwae_dataset *d = work->dataset;
    memset(work->quota, 0, ((size_t)d->classes + 1) * sizeof *work->quota);
    if (labels == 0) return SWWAE_OK;
    CHECK(d->labels && d->classes > 0, SWWAE_E_DATA,
          "%s has no labels; train without them (--labels none)", d->name);
    if (labels == -1) {
        size_t all = 0;
        for (int k = 0; k < d->classes; k++) all += work->quota[k] = work->available[k];
        CHECK(all > 0, SWWAE_E_DATA,
              "no image of %s has a label left after validation and test; choose a smaller "
              "--validation or --test-count, or "
              "train without labels (--labels none)",
              d->name);
        return SWWAE_OK;
    }
    CHECK(labels % d->classes == 0, SWWAE_E_DATA,
          "%ld labels cannot be shared equally by the %d classes of %s, expected a multiple of %d",
          labels, d->classes, d->name, d->classes);
    size_t each = (size_t)(labels / d->classes);
    for (int k = 0; k < d->classes; k++) {
        CHECK(work->available[k] >= each, SWWAE_E_DATA,
              "%ld labels need %zu images of each class, but class \"%s\" of %s has only %zu left "
              "after validation; choose fewer labels or a smaller --validation",
              labels, each, d->class_names[k], d->name, work->available[k]);
        work->quota[k] = each;
    }
fail:
    return status;
}

/* The sorted indices of the images with a role. */
static swwae_status collect(const struct work *work, enum role role, uint32_t **indices,
                            size_t *count) {
    size_t n = 0, total = work->dataset->count;
    for (size_t i = 0; i < total; i++) n += work->roles[i] == role;
    *indices = calloc(n + 1, sizeof **indices); /* + 1: never a NULL for nothing */
    if (!*indices) return status_set(SWWAE_E_MEMORY, "not enough memory to draw labels");
    *count = n;
    for (size_t i = 0, j = 0; i < total; i++)
        if (work->roles[i] == role) (*indices)[j++] = (uint32_t)i;
    return SWWAE_OK;
}

/* What every draw needs; `taken` images have a role before validation. */
static swwae_status check_sizes(const struct swwae_dataset *dataset, size_t taken,
                                size_t validation) {
    swwae_status status = SWWAE_OK;
    const size_t count = dataset->count;
    CHECK(count <= UINT32_MAX, SWWAE_E_DATA, "%s has more than %lu images", dataset->name,
          (unsigned long)UINT32_MAX);
    CHECK(validation < count, SWWAE_E_DATA,
          "%zu validation images leave none of the %zu of %s to train on; choose fewer", validation,
          count, dataset->name);
    CHECK(validation <= count - taken, SWWAE_E_DATA,
          "%zu labelled and %zu validation images are more than the %zu of %s; choose fewer", taken,
          validation, count, dataset->name);
fail:
    return status;
}

/* false: no memory. */
static bool begin(struct work *work, const struct swwae_dataset *dataset) {
    const size_t classes = (size_t)dataset->classes, count = dataset->count;
    work->dataset = dataset;
    work->roles = calloc(count, sizeof *work->roles);
    work->order = calloc(count, sizeof *work->order);
    work->total = calloc(classes + 1, sizeof *work->total);
    work->available = calloc(classes + 1, sizeof *work->available);
    work->quota = calloc(classes + 1, sizeof *work->quota);
    if (!work->roles || !work->order || !work->total || !work->available || !work->quota)
        return false;
    for (size_t i = 0; i < count; i++) work->total[class_of(dataset, i)]++;
    memcpy(work->available, work->total, (classes + 1) * sizeof *work->total);
    return true;
}

static void end(struct work *work) {
    free(work->roles);
    free(work->order);
    free(work->total);
    free(work->available);
    free(work->quota);
}

static void take_validation(struct work *work, size_t validation, uint64_t seed) {
    spread(work, validation);
    assign(work, ROLE_VALIDATION, rng_stream(seed, RNG_VALIDATION, 0));
}

static swwae_status collect_all(const struct work *work, struct label_draw *draw) {
    swwae_status status = SWWAE_OK;
    struct label_draw result = {0};
    TRY(collect(work, ROLE_LABELLED, &result.labelled, &result.labelled_count));
    TRY(collect(work, ROLE_UNLABELLED, &result.unlabelled, &result.unlabelled_count));
    TRY(collect(work, ROLE_VALIDATION, &result.validation, &result.validation_count));
    *draw = result;
    result = (struct label_draw){0};
fail:
    labels_free(&result);
    return status;
}

swwae_status labels_draw(struct label_draw *draw, const struct swwae_dataset *dataset, long labels,
                         size_t validation, uint64_t seed) {
    swwae_status status = SWWAE_OK;
    struct work work = {0};
    CHECK(labels >= -1, SWWAE_E_ARGUMENT,
          "labels is %ld, expected -1 (all), 0 (none) or a positive number", labels);
    TRY(check_sizes(dataset, 0, validation));
    CHECK(begin(&work, dataset), SWWAE_E_MEMORY, "not enough memory to draw labels");
    take_validation(&work, validation, seed);
    TRY(set_label_quota(&work, labels));
    assign(&work, ROLE_LABELLED, rng_stream(seed, RNG_LABELS, 0));
    TRY(collect_all(&work, draw));
fail:
    end(&work);
    return status;
}

swwae_status labels_draw_around(struct label_draw *draw, const struct swwae_dataset *dataset,
                                const uint32_t *labelled, size_t count, size_t validation,
                                uint64_t seed) {
    swwae_status status = SWWAE_OK;
    struct work work = {0};
    TRY(check_sizes(dataset, count, validation));
    CHECK(begin(&work, dataset), SWWAE_E_MEMORY, "not enough memory to draw labels");
    for (size_t k = 0; k < count; k++) {
        work.roles[labelled[k]] = ROLE_LABELLED;
        work.available[class_of(dataset, labelled[k])]--;
    }
    take_validation(&work, validation, seed);
    TRY(collect_all(&work, draw));
fail:
    end(&work);
    return status;
}

void labels_free(struct label_draw *draw) {
    if (!draw) return;
    free(draw->labelled);
    free(draw->unlabelled);
    free(draw->validation);
    *draw = (struct label_draw){0};
}
