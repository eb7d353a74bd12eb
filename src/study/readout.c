/* readout.c - linear maps from codes to position and class; see readout.h. */
#include "study/readout.h"

#include <math.h>
#include <stdlib.h>

#include "study/linear.h"

#define CHUNK 250    /* images encoded at a time */
#define RIDGE 1e-3   /* beside features of deviation 1: keeps maps that say the same apart */
#define PLACES 2     /* targets before the classes: x and y */
#define CLASSES 1000 /* the most there may be */

const char *const readout_names[READOUTS] = {"what", "where", "what and where", "nothing"};

/* Codes and truth of some images. */
struct sample {
    size_t count;
    float *features[READOUTS]; /* (count, width[i]) */
    float *targets;            /* (count, PLACES + classes): x, y, one-hot */
};

static void sample_free(struct sample *sample) {
    for (int i = 0; i < READOUTS; i++) free(sample->features[i]);
    free(sample->targets);
}

/* The centre of mass in pixels; the middle of a black image. */
static void find_centre(float *centre, const float *image, int channels, int height, int width) {
    double sum = 0, x_sum = 0, y_sum = 0;
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                const double value = (double)*image++;
                sum += value;
                x_sum += value * (x + 0.5);
                y_sum += value * (y + 0.5);
            }
    centre[0] = sum > 0 ? (float)(x_sum / sum) : (float)width / 2;
    centre[1] = sum > 0 ? (float)(y_sum / sum) : (float)height / 2;
}

static swwae_status encode_sample(struct sample *sample, swwae_model *model,
                                  const struct probe_stage *stage, const swwae_dataset *dataset,
                                  int classes, size_t size) {
    swwae_status status = SWWAE_OK;
    int channels, height, width;
    swwae_dataset_image_size(dataset, &channels, &height, &width);
    const size_t pixels = (size_t)channels * (size_t)height * (size_t)width;
    const size_t n = sample->count, targets = PLACES + (size_t)classes;
    float *images = calloc(CHUNK * pixels, sizeof *images);
    sample->features[READOUT_WHAT] = calloc(n * size, sizeof(float));
    sample->features[READOUT_WHERE] = calloc(n * 2 * size, sizeof(float));
    sample->features[READOUT_BOTH] = calloc(n * 3 * size, sizeof(float));
    sample->targets = calloc(n * targets, sizeof(float));
    CHECK(images && sample->features[READOUT_WHAT] && sample->features[READOUT_WHERE] &&
              sample->features[READOUT_BOTH] && sample->targets,
          SWWAE_E_MEMORY, "no memory for the codes of %zu images", n);
    float *what = sample->features[READOUT_WHAT], *where = sample->features[READOUT_WHERE];
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t count = n - i < CHUNK ? n - i : CHUNK;
        for (size_t j = 0; j < count; j++) {
            float *target = sample->targets + (i + j) * targets;
            const int32_t label = swwae_dataset_label(dataset, i + j);
            TRY(swwae_dataset_image(dataset, i + j, images + j * pixels));
            find_centre(target, images + j * pixels, channels, height, width);
            if (label >= 0 && label < classes) target[PLACES + label] = 1;
        }
        TRY(probe_codes(what + i * size, where + i * 2 * size, model, stage, images, count));
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3 * size; k++)
            sample->features[READOUT_BOTH][i * 3 * size + k] =
                k < size ? what[i * size + k] : where[i * 2 * size + k - size];
fail:
    free(images);
    return status;
}

static int largest(const double *scores, int count) {
    int best = 0;
    for (int k = 1; k < count; k++)
        if (scores[k] > scores[best]) best = k;
    return best;
}

/* Applies a map to the test sample; its features may be none. */
static void score(struct readout *readout, const struct linear *linear, const struct sample *test,
                  int from, int classes) {
    double out[PLACES + CLASSES], squares = 0;
    size_t right = 0, labelled = 0;
    const size_t targets = PLACES + (size_t)classes;
    for (size_t i = 0; i < test->count; i++) {
        const float *truth = test->targets + i * targets;
        linear_apply(out, linear, test->features[from] + i * (size_t)linear->features);
        for (int a = 0; a < PLACES; a++) squares += pow(out[a] - (double)truth[a], 2);
        const int best = classes ? largest(out + PLACES, classes) : 0;
        for (int k = 0; k < classes; k++)
            if (truth[PLACES + k] > 0) {
                labelled++;
                right += k == best;
            }
    }
    readout->position = sqrt(squares / (double)(PLACES * test->count));
    readout->accuracy = labelled ? 100 * (double)right / (double)labelled : NAN;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

swwae_status readout_measure(struct readout readouts[READOUTS], swwae_model *model,
                             const struct probe_stage *stage, const swwae_dataset *train,
                             size_t train_count, const swwae_dataset *test, size_t test_count) {
    swwae_status status = SWWAE_OK;
    const size_t size = (size_t)stage->maps * (size_t)stage->height * (size_t)stage->width;
    struct sample fitted = {.count = smaller(train_count, swwae_dataset_count(train))};
    struct sample measured = {.count = smaller(test_count, swwae_dataset_count(test))};
    struct linear linear = {0};
    int classes = swwae_dataset_classes(train);
    if (classes > CLASSES) classes = 0;
    for (int i = 0; i < READOUTS; i++) readouts[i] = (struct readout){NAN, NAN};
    if (3 * size > READOUT_FEATURES) return SWWAE_OK;
    TRY(encode_sample(&fitted, model, stage, train, classes, size));
    TRY(encode_sample(&measured, model, stage, test, classes, size));
    for (int i = 0; i < READOUTS; i++) {
        const int features[READOUTS] = {(int)size, 2 * (int)size, 3 * (int)size, 1};
        if (i == READOUT_NOTHING) { /* a feature that never changes */
            fitted.features[i] = calloc(fitted.count, sizeof(float));
            measured.features[i] = calloc(measured.count, sizeof(float));
            CHECK(fitted.features[i] && measured.features[i], SWWAE_E_MEMORY, "no memory");
        }
        TRY(linear_fit(&linear, fitted.features[i], fitted.targets, fitted.count, features[i],
                       PLACES + classes, RIDGE));
        score(&readouts[i], &linear, &measured, i, classes);
        linear_free(&linear);
    }
fail:
    linear_free(&linear);
    sample_free(&fitted);
    sample_free(&measured);
    return status;
}
