/* onednn.h - one dense convolution by oneDNN (version 2), the library behind PyTorch's
 * convolutions: what our kernels have to beat, pass by pass. */
#ifndef SWWAE_BENCH_ONEDNN_H
#define SWWAE_BENCH_ONEDNN_H

enum onednn_pass {
    ONEDNN_FORWARD, /* with bias and ReLU */
    ONEDNN_DATA,    /* the gradient to the input */
    ONEDNN_WEIGHTS, /* the gradient of the weights */
    ONEDNN_PASSES
};

struct onednn; /* NULL where the build lacks oneDNN */

/* "2.6.3"; NULL: not built with it. */
const char *onednn_version(void);

/* A "same" convolution (images, in, side, side) -> (images, out, side, side), every array in the
 * format that oneDNN likes best, filled with small numbers; on one thread. NULL: not to be had. */
struct onednn *onednn_create(int out, int in, int kernel, int side, int images);
void onednn_free(struct onednn *onednn);

/* One pass over all images; no reordering. */
void onednn_run(struct onednn *onednn, enum onednn_pass pass);

#endif
