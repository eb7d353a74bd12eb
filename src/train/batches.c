/* batches.c - composing batches from streams of images; see batches.h. */
#include "train/batches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Streams ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The union of two lists, sorted. */
static swwae_status stream_create(struct stream *stream, const uint32_t *a, size_t a_count,
                                  const uint32_t *b, size_t b_count, uint64_t seed,
                                  enum rng_purpose purpose) {
    swwae_status status = SWWAE_OK;
    size_t count = a_count + b_count;
    *stream = (struct stream){.count = count, .pass = UINT64_MAX, .seed = seed, .purpose = purpose};
    CHECK(count > 0, SWWAE_E_DATA, "no training images are left for this kind of training");
    stream->sorted = malloc(count * sizeof *stream->sorted);
    stream->order = malloc(count * sizeof *stream->order);
    CHECK(stream->sorted && stream->order, SWWAE_E_MEMORY, "no memory for the order of %zu images",
          count);
    if (a_count) memcpy(stream->sorted, a, a_count * sizeof *a);
    if (b_count) memcpy(stream->sorted + a_count, b, b_count * sizeof *b);
    qsort(stream->sorted, count, sizeof *stream->sorted, compare);
fail:
    return status;
}

static void stream_free(struct stream *stream) {
    free(stream->sorted);
    free(stream->order);
    *stream = (struct stream){0};
}

/* Image number `position` of the endless stream. */
static uint32_t stream_at(struct stream *stream, uint64_t position) {
    uint64_t pass = position / stream->count;
    if (pass != stream->pass) {
        struct rng rng = rng_stream(stream->seed, stream->purpose, pass);
        memcpy(stream->order, stream->sorted, stream->count * sizeof *stream->order);
        rng_shuffle(&rng, stream->order, stream->count);
        stream->pass = pass;
    }
    return stream->order[position % stream->count];
}

/* ---- Batches ---------------------------------------------------------------------------- */

static enum regime choose(const struct label_draw *draw, const struct batches_options *options) {
    if (!options->nll) return REGIME_UNSUPERVISED;
    if (!options->unlabelled || draw->unlabelled_count == 0) return REGIME_SUPERVISED;
    return REGIME_SEMI_SUPERVISED;
}

/* Images of a batch that come from the labelled stream. */
static int labelled_part(const struct batches_options *options) {
    int part = (int)lround(options->size * options->labelled_share);
    return part < 1 ? 1 : part > options->size - 1 ? options->size - 1 : part;
}

swwae_status batches_create(struct batches *batches, const struct label_draw *draw,
                            const int32_t *labels, const struct batches_options *options) {
    swwae_status status = SWWAE_OK;
    struct batches made = {
        .regime = choose(draw, options), .size = options->size, .labels = labels};
    CHECK(made.regime == REGIME_UNSUPERVISED || draw->labelled_count > 0, SWWAE_E_DATA,
          "the classification term is on, but no image has a label it may use; give --labels a "
          "number or set --lambda-nll 0");
    switch (made.regime) {
    case REGIME_SUPERVISED:
        TRY(stream_create(&made.main, draw->labelled, draw->labelled_count, NULL, 0, options->seed,
                          RNG_ORDER));
        break;
    case REGIME_UNSUPERVISED:
        TRY(stream_create(&made.main, draw->labelled, draw->labelled_count, draw->unlabelled,
                          draw->unlabelled_count, options->seed, RNG_ORDER));
        break;
    case REGIME_SEMI_SUPERVISED:
        CHECK(options->size >= 2, SWWAE_E_ARGUMENT,
              "option --batch: 1 found, expected at least 2 because a batch holds labelled and "
              "unlabelled images");
        made.labelled = labelled_part(options);
        TRY(stream_create(&made.main, draw->unlabelled, draw->unlabelled_count, draw->validation,
                          draw->validation_count, options->seed, RNG_ORDER));
        TRY(stream_create(&made.few, draw->labelled, draw->labelled_count, NULL, 0, options->seed,
                          RNG_LABELLED));
        break;
    }
    uint64_t part = (uint64_t)(made.size - made.labelled);
    made.steps_an_epoch = (made.main.count + part - 1) / part;
    *batches = made;
    return SWWAE_OK;
fail:
    batches_free(&made);
    return status;
}

void batches_free(struct batches *batches) {
    stream_free(&batches->main);
    stream_free(&batches->few);
    *batches = (struct batches){0};
}

void batches_fill(struct batches *batches, uint64_t step, uint32_t *images, int32_t *labels) {
    uint64_t few = (uint64_t)batches->labelled, rest = (uint64_t)batches->size - few;
    bool visible = batches->regime == REGIME_SUPERVISED && batches->labels;
    for (uint64_t i = 0; i < few; i++) {
        images[i] = stream_at(&batches->few, step * few + i);
        labels[i] = batches->labels ? batches->labels[images[i]] : -1;
    }
    for (uint64_t i = 0; i < rest; i++) {
        images[few + i] = stream_at(&batches->main, step * rest + i);
        labels[few + i] = visible ? batches->labels[images[few + i]] : -1;
    }
}
