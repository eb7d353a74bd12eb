/* dispatch.c - the table of an instruction set: the reference, overwritten by what is faster. */
#include "kernels/kernels.h"

bool kernels_get(struct kernels *table, enum cpu_isa isa) {
    if (!cpu_has(isa)) return false;
    kernels_reference(table);
    kernels_reference_sparse(table);
    kernels_reference_winograd(table);
    switch (isa) {
    case CPU_REFERENCE: return true;
#ifndef SWWAE_DOUBLE
    case CPU_PLAIN: kernels_plain(table); return true;
#if defined(__x86_64__)
    case CPU_AVX2: kernels_avx2(table); return true;
    case CPU_AVX512:
        kernels_avx512(table);
        if (cpu_has_bf16()) kernels_avx512bf16(table);
        return true;
#endif
#endif
    default: return false;
    }
}
