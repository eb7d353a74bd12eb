/* probe.h - how what and where answer when an image is moved (paper section 4.2).
 *
 * A *unit* is a map of a stage; its response to an image is that of the map's strongest window: its
 * what, and its where as a place in the image, in pixels. With one window a map, as at the top of
 * the paper's network, that is simply what and where. */
#ifndef SWWAE_STUDY_PROBE_H
#define SWWAE_STUDY_PROBE_H

#include "study/study.h"

#define PROBE_MOST 3 /* pixels of shift, both ways */

/* The geometry of a stage's codes. */
struct probe_stage {
    int stage, maps, height, width; /* of the codes */
    int pool;                       /* cells on a window's side */
    int cell;                       /* pixels from a cell to the next */
    bool soft;
};
swwae_status probe_stage(struct probe_stage *stage, const swwae_model *model, int number);

/* What and where of n images, hard or soft alike: what (n, maps, height, width), and where the same
 * with a last axis of 2, x and y in -1..1 in the window. */
swwae_status probe_codes(float *what, float *where, swwae_model *model,
                         const struct probe_stage *stage, const float *images, size_t n);

/* A unit's response. */
struct response {
    float what;
    float place[2]; /* x, y in pixels from the first cell */
};

/* What was seen of units that count: whose what exceeds what they answer to a black image by at
 * least a tenth of the most that any unit of the image does. Index 0: along the shift, 1: across.
 */
struct probe_scores {
    double slope[2]; /* pixels of where per pixel of shift, least squares through 0; ideal 1, 0 */
    double r2;       /* share of the variance along the shift that the slope explains */
    double ratio;    /* mean size of the change along : across */
    double followed; /* share within half a cell of where the shift would bring it, both ways */
    double counted;  /* share of units that count */
    double correlation;                 /* Pearson's, of the what after and before */
    double change;                      /* ||m' - m|| / ||m||, of all units */
    double mean[2][2 * PROBE_MOST + 1]; /* mean change for each shift, from -PROBE_MOST on */
};

/* One unit before and after a shift, for the scatter plots. */
struct probe_point {
    struct response before, after;
};

/* Moves the images by 1..PROBE_MOST pixels both ways along an axis (0: x, 1: y).
 * points: (*point_count) responses that count at the largest shift right or down, at most
 * point_limit, spread over the images; may be NULL. */
swwae_status probe_axis(struct probe_scores *scores, struct probe_point *points,
                        size_t *point_count, size_t point_limit, swwae_model *model,
                        const struct probe_stage *stage, const float *images, size_t n, int axis);

#endif
