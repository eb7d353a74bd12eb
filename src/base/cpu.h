/* cpu.h - which instruction sets this machine can run. */
#ifndef SWWAE_BASE_CPU_H
#define SWWAE_BASE_CPU_H

#include <stdbool.h>

enum cpu_isa { CPU_REFERENCE = 0, CPU_PLAIN, CPU_AVX2, CPU_AVX512, CPU_ISA_COUNT };

const char *cpu_isa_name(enum cpu_isa isa); /* "reference", "plain", "avx2", "avx512" */
bool cpu_has(enum cpu_isa isa);
/* Whether it multiplies bf16 too: with AVX-512 only. */
bool cpu_has_bf16(void);
/* The best this machine has, or what the environment variable SWWAE_ISA names. An unknown or
 * missing set falls back to the best and is reported in *complaint (static text, else NULL). */
enum cpu_isa cpu_choose(const char **complaint);
/* Whether passes may use the sparsity of switches: unless the environment says SWWAE_SPARSE=0. */
bool cpu_sparse(void);

/* Whether 3x3 convolutions may run by Winograd's filtering: unless it says SWWAE_WINOGRAD=0. */
bool cpu_winograd(void);

#endif
