/* equivariance.h - the results of the study "equivariance", between measuring and telling. */
#ifndef SWWAE_STUDY_EQUIVARIANCE_H
#define SWWAE_STUDY_EQUIVARIANCE_H

#include "study/probe.h"
#include "study/readout.h"

#define NETS 3 /* soft pooling, the same untrained, max pooling */
#define AXES 2
#define EQUIVARIANCE_STAGES 2 /* measured: the lowest and the top one */
#define POINTS 600            /* of a panel of the scatter plots */

extern const char *const equivariance_nets[NETS];

struct equivariance {
    struct study *study;
    const char *beta;     /* of the soft nets, as --beta has it */
    swwae_dataset *train; /* translated */
    swwae_dataset *test;  /* translated */
    float *probes;        /* (probe_count, channels, height, width), not translated */
    size_t probe_count;
    bool margin; /* the probes lose no pixel when they are moved */
    int stages;  /* 1 where the lowest is the top one */
    struct probe_stage stage[EQUIVARIANCE_STAGES]; /* lowest first */
    struct probe_scores *scores;                   /* (NETS, seeds, stages, AXES) */
    struct readout *readouts;                      /* (NETS, seeds, READOUTS) */
    double *rec; /* (NETS, seeds): test error of the trained nets, else NaN */
    struct probe_point points[NETS][AXES][POINTS]; /* of the first seed, top stage */
    size_t point_count[NETS][AXES];
};

struct probe_scores *equivariance_scores(const struct equivariance *e, int net, int seed, int stage,
                                         int axis);
struct readout *equivariance_readouts(const struct equivariance *e, int net, int seed);

/* CSV files, plots and page (equivariance_page.c). */
swwae_status equivariance_write(const struct equivariance *e);

#endif
