/* rng.h - random numbers with explicit state: the same stream on every machine.
 *
 * xoshiro256** (Blackman and Vigna 2018) seeded by splitmix64. Integer and exact
 * floating-point arithmetic only: no libm call, whose last bit could differ between machines. */
#ifndef SWWAE_BASE_RNG_H
#define SWWAE_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

/* What a stream is for. A run draws each kind from its own stream, so that using more of one
 * never shifts another. Append only: the numbers are part of what "same seed" means. */
enum rng_purpose {
    RNG_WEIGHTS = 1,    /* index: parameter tensor */
    RNG_LABELS = 2,     /* index: 0 */
    RNG_ORDER = 3,      /* index: epoch, of the unlabelled or only stream */
    RNG_LABELLED = 4,   /* index: pass over the labelled images */
    RNG_SHAPES = 5,     /* index: image */
    RNG_VALIDATION = 6, /* index: 0 */
    RNG_NOISE = 7,      /* index: step, image and place in the net; see engine/random.c */
    RNG_SHIFT = 8,      /* index: image, of translated data; see study/derived.h */
    RNG_AUGMENT = 9,    /* index: step and image; see data/augment.h */
    RNG_TEACHER = 10    /* the same, of what the teacher looks at; see train/teacher.h */
};

/* The stream of (seed, purpose, index); independent of every other triple. */
struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint64_t index);

uint64_t rng_next(struct rng *rng);                       /* 64 random bits */
double rng_uniform(struct rng *rng);                      /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *rng, uint64_t bound);      /* 0..bound-1 without bias; bound > 0 */
void rng_shuffle(struct rng *rng, uint32_t *v, size_t n); /* Fisher-Yates */

#endif
