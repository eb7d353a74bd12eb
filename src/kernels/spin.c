/* spin.c - nothing but multiply-adds: how fast this machine could be. */
#include "kernels/isa.h"

/* Independent sums: enough to hide the latency, few enough to stay in registers. */
#define CHAINS (VEC == 16 ? 12 : VEC == 8 ? 6 : 3)

static double spin(real *out, long rounds) {
    v16 sum[CHAINS];
    const v16 x = v_splat(0.999f), y = v_splat(1e-3f);
    UNROLL
    for (int k = 0; k < CHAINS; k++) sum[k] = v_splat((float)k);
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
