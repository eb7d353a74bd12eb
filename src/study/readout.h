/* readout.h - what a linear map finds in the codes: where the object is, and what it is. */
#ifndef SWWAE_STUDY_READOUT_H
#define SWWAE_STUDY_READOUT_H

#include "study/probe.h"

/* What the linear map is given. */
enum readout_from { READOUT_WHAT, READOUT_WHERE, READOUT_BOTH, READOUT_NOTHING, READOUTS };
extern const char *const readout_names[READOUTS];

struct readout {
    double position; /* root mean squared error of the image's centre of mass, pixels a coordinate;
                        on "shapes" that is the sprite's true centre */
    double accuracy; /* percent of labelled images; NaN without labels */
};

#define READOUT_FEATURES 1024 /* the most there may be */

/* Ridge regressions from the codes of `train` to position and class (one-hot), measured on `test`;
 * the first train_count and test_count images of each (fewer where there are fewer).
 * READOUT_NOTHING tells the mean of the training images. All NaN where there are too many features.
 */
swwae_status readout_measure(struct readout readouts[READOUTS], swwae_model *model,
                             const struct probe_stage *stage, const swwae_dataset *train,
                             size_t train_count, const swwae_dataset *test, size_t test_count);

#endif
