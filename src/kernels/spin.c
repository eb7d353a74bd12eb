/* spin.c - nothing but multiply-adds: how fast this machine could be. */
#include "kernels/isa.h"

/* Independent sums: enough to hide the latency, few enough to stay in registers. */
#define CHAINS (VEC == 16 ? 12 : VEC == 8 ? 6 : 3)

/* All lanes start differently: of registers that hold the same, a compiler works out one. */
static const float start[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static double spin(real *out, long rounds) {
    v16 sum[CHAINS];
    const v16 x = v_splat(0.999f), y = v_splat(1e-3f);
    UNROLL
    for (int k = 0; k < CHAINS; k++) sum[k] = v_add(v_load(start), v_splat((float)k / CHAINS));
    for (long i = 0; i < rounds; i++) {
        UNROLL
        for (int k = 0; k < CHAINS; k++) sum[k] = v_fma(sum[k], x, y);
    }
    UNROLL
    for (int k = 1; k < CHAINS; k++) sum[0] = v_add(sum[0], sum[k]);
    v_store(out, sum[0]);
    return 2.0 * CHAINS * LANES * (double)rounds;
}

void ISA(spin_install)(struct kernels *table) { table->spin = spin; }
