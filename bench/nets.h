/* nets.h - the networks of the benches, and our side of them. */
#ifndef SWWAE_BENCH_NETS_H
#define SWWAE_BENCH_NETS_H

#include "base/cpu.h"
#include "engine/engine.h"
#include "train/optimizer.h"

enum mode { SUPERVISED, UNSUPERVISED, SEMI };
extern const char *const mode_names[];

struct bench {
    const char *name, *arch;
    int channels, side;
    enum mode mode;
    bool norm; /* batch normalisation after every convolution */
    bool deep; /* minutes with torch.compile, and without bf16: left out there */
    int batch;
    int burst; /* steps of one timing, one after another as in a training */
    int reps;  /* timings */
};
extern const struct bench benches[];
extern const int bench_count;
#define ALL_NETS "N1,N2,N3,P,C,S"

/* Whether a list separated by commas names it. */
bool listed(const char *list, const char *name);

/* "semi+norm" */
const char *mode_text(const struct bench *bench, char text[32]);

/* All sides start from the same parameters, images and labels (generator.h, peer_torch.py). */
struct ours {
    struct network network;
    struct engine *training, *inference; /* inference: NULL where not asked for */
    struct optimizer adam;
    float *parameters, *gradient, *images, *logits, *reconstruction;
    int32_t *labels;
    struct losses losses;
    enum mode mode;
    int batch;
};
struct ours_options {
    int batch, threads;
    enum cpu_isa isa;
    enum precision precision;
    bool forward; /* passes of an engine for inference too */
};
void ours_create(struct ours *o, const struct bench *bench, const struct ours_options *options);
void ours_free(struct ours *o);

/* Milliseconds of one, of so many. */
double ours_train(struct ours *o, int steps);
double ours_forward(struct ours *o, int passes);

/* MiB of the training engine, of parameters, gradient and Adam's two moments, and of the images. */
double ours_memory(const struct ours *o);

/* Multiply-adds x 2 of a batch, as a dense implementation does them: forward, then twice that for
 * the gradients, less the gradient of the image, which nobody wants. */
enum pass { TRAIN, FORWARD };
extern const char *const pass_names[];
void ours_flops(double flop[2], const struct ours *o);

#endif
