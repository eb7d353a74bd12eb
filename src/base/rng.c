/* rng.c - xoshiro256** with splitmix64 seeding; see rng.h. */
#include "base/rng.h"

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint64_t index) {
    /* Each part is mixed before the next is added: (1, 2) and (2, 1) are far apart. */
    uint64_t x = seed;
    x = splitmix(&x) ^ (uint64_t)purpose;
    x = splitmix(&x) ^ index;
    struct rng rng;
    for (int i = 0; i < 4; i++) rng.state[i] = splitmix(&x);
    return rng;
}

uint64_t rng_next(struct rng *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double rng_uniform(struct rng *rng) { return (double)(rng_next(rng) >> 11) * 0x1p-53; }

uint64_t rng_below(struct rng *rng, uint64_t bound) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;
    do x = rng_next(rng);
    while (x >= limit);
    return x % bound;
}

void rng_shuffle(struct rng *rng, uint32_t *v, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rng_below(rng, i);
        uint32_t t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}
