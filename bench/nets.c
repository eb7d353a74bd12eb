/* nets.c - see nets.h. */
#include "nets.h"

#include "../tests/golden/generator.h"
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LR 1e-3
#define IMAGE_OFFSET 10000000u /* of peer_torch.py too */

const char *const mode_names[] = {"supervised", "unsupervised", "semi"};
const char *const pass_names[] = {"train", "forward"};

#define MNIST_NET "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc"
#define CIFAR_NET                                                                       \
    "(128)3c-(256)3c-2p-(256)3c-(512)3c-2p-(512)3c-(512)3c-2p-(512)3c-(512)3c-2p-128fc" \
    "-10fc"
#define STL_NET                                                                               \
    "(64)3c-4p-(64)3c-3p-(128)3c-(128)3c-2p-(256)3c-(256)3c-(256)3c-(512)3c-(512)3c-(512)3c-" \
    "2p-10fc"

const struct bench benches[] = {
    {"N1", "(16)5c-(32)3c-7p", 1, 28, UNSUPERVISED, false, false, 128, 8, 21},
    {"N2", "(64)5c-2p-(64)3c-2p-(128)3c-2p-10fc", 1, 32, SEMI, false, false, 128, 2, 11},
    {"N3", "(128)5c-2p-(128)3c-2p-(256)3c-(256)3c-2p-10fc", 3, 32, SEMI, false, false, 128, 1, 9},
    {"P", MNIST_NET, 1, 32, SEMI, false, false, 128, 2, 15}, /* the paper's nets: MNIST */
    {"P", MNIST_NET, 1, 32, SUPERVISED, false, false, 128, 4, 21},
    {"C", CIFAR_NET, 3, 32, SEMI, false, true, 16, 1, 5}, /* CIFAR; the paper's has normalisation */
    {"C", CIFAR_NET, 3, 32, SEMI, true, true, 16, 1, 5},
    {"S", STL_NET, 3, 96, SEMI, false, true, 16, 1, 7}, /* STL-10; the same */
    {"S", STL_NET, 3, 96, SEMI, true, true, 16, 1, 7},
};
const int bench_count = sizeof benches / sizeof *benches;

bool listed(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (strncmp(list, name, length) == 0 && (list[length] == ',' || !list[length])) return true;
    return false;
}

const char *mode_text(const struct bench *bench, char text[32]) {
    snprintf(text, 32, "%s%s", mode_names[bench->mode], bench->norm ? "+norm" : "");
    return text;
}

/* The weights of `Net` in peer_torch.py. */
static struct objective objective_of(enum mode mode, int stages) {
    struct objective o = {.nll = mode != UNSUPERVISED, .reduction = REDUCTION_SUM};
    if (mode == SUPERVISED) return o;
    o.rec = 1;
    for (int s = 0; s + 1 < stages; s++) o.m[s] = 0.1;
    return o;
}

static size_t pixels_of(const struct ours *o) {
    const struct network *n = &o->network;
    return (size_t)o->batch * (size_t)n->channels * (size_t)n->height * (size_t)n->width;
}

void ours_create(struct ours *o, const struct bench *bench, const struct ours_options *options) {
    memset(o, 0, sizeof *o);
    o->mode = bench->mode;
    o->batch = options->batch;
    const struct variant variant = {.norm = bench->norm ? NORM_BATCH : NORM_NONE};
    if (network_build(&o->network, bench->arch, bench->channels, bench->side, bench->side,
                      &variant))
        die(swwae_last_error());
    const struct objective objective = objective_of(bench->mode, o->network.stages);
    const struct settings settings = {.optimizer = OPTIMIZER_ADAM};
    struct engine_options engine = {.objective = &objective,
                                    .batch = options->batch,
                                    .threads = options->threads,
                                    .isa = (int)options->isa,
                                    .dense = !cpu_sparse(),
                                    .direct = !cpu_winograd(),
                                    .precision = options->precision};
    if (engine_create(&o->training, &o->network, &engine)) die(swwae_last_error());
    engine.objective = NULL;
    if (options->forward && engine_create(&o->inference, &o->network, &engine))
        die(swwae_last_error());
    if (optimizer_create(&o->adam, &o->network, &settings)) die(swwae_last_error());
    const size_t batch = (size_t)options->batch, pixels = pixels_of(o);
    const int classes = bench->mode == UNSUPERVISED ? 0 : o->network.classes;
    o->parameters = take(o->network.parameters, sizeof(float));
    o->gradient = take(o->network.parameters, sizeof(float));
    o->images = take(pixels, sizeof(float));
    o->labels = take(batch, sizeof *o->labels);
    if (options->forward && classes) o->logits = take(batch * (size_t)classes, sizeof(float));
    if (options->forward && bench->mode != SUPERVISED)
        o->reconstruction = take(pixels, sizeof(float));
    generate_parameters(o->parameters, &o->network);
    for (size_t i = 0; i < pixels; i++) o->images[i] = (float)hashed(i, IMAGE_OFFSET);
    const int labelled = bench->mode == SUPERVISED ? o->batch
                         : bench->mode == SEMI     ? o->batch / 2
                                                   : 0;
    for (int i = 0; i < o->batch; i++) o->labels[i] = i < labelled ? i % classes : -1;
}

void ours_free(struct ours *o) {
    engine_free(o->training);
    engine_free(o->inference);
    optimizer_free(&o->adam);
    network_clear(&o->network);
    free(o->parameters);
    free(o->gradient);
    free(o->images);
    free(o->labels);
    free(o->logits);
    free(o->reconstruction);
}

double ours_train(struct ours *o, int steps) {
    const struct batch batch = {.images = o->images, .labels = o->labels, .n = o->batch};
    const double begin = now_ms();
    for (int step = 0; step < steps; step++) {
        if (engine_step(o->training, &o->losses, o->gradient, o->parameters, &batch))
            die(swwae_last_error());
        optimizer_step(&o->adam, o->parameters, o->gradient, LR, engine_pool(o->training));
    }
    return (now_ms() - begin) / steps;
}

double ours_forward(struct ours *o, int passes) {
    const struct forward forward = {.logits = o->logits, .reconstruction = o->reconstruction};
    const double begin = now_ms();
    for (int pass = 0; pass < passes; pass++)
        if (engine_forward(o->inference, &forward, o->parameters, o->images, o->batch))
            die(swwae_last_error());
    return (now_ms() - begin) / passes;
}

double ours_memory(const struct ours *o) {
    return ((double)engine_memory(o->training) +
            sizeof(float) * (4.0 * (double)o->network.parameters + (double)pixels_of(o))) /
           (1 << 20);
}

void ours_flops(double flop[2], const struct ours *o) {
    const struct network *n = &o->network;
    const struct conv_layer *first = &n->stage[0].encoder[0];
    double sum = network_flops_encoder(n);
    if (o->mode == UNSUPERVISED)
        for (int j = 0; j < n->fcs; j++) sum -= 2.0 * n->fc[j].in * n->fc[j].out;
    if (o->mode != SUPERVISED) sum += network_flops_decoder(n);
    const double image =
        2.0 * first->in * first->out * first->kernel * first->kernel * first->height * first->width;
    flop[FORWARD] = o->batch * sum;
    flop[TRAIN] = o->batch * (3 * sum - image);
}
