/* cpu.c - instruction sets: detection and choice; see cpu.h. */
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[CPU_ISA_COUNT] = {"reference", "plain", "avx2", "avx512"};

const char *cpu_isa_name(enum cpu_isa isa) { return names[isa]; }

bool cpu_has(enum cpu_isa isa) {
    switch (isa) {
    case CPU_REFERENCE:
    case CPU_PLAIN: return true;
#if defined(__x86_64__)
    case CPU_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CPU_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#endif
    default: return false;
    }
}

bool cpu_has_bf16(void) {
#if defined(__x86_64__)
    return cpu_has(CPU_AVX512) && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

enum cpu_isa cpu_choose(const char **complaint) {
    enum cpu_isa best = CPU_PLAIN;
    for (int i = CPU_PLAIN; i < CPU_ISA_COUNT; i++)
        if (cpu_has((enum cpu_isa)i)) best = (enum cpu_isa)i;
    *complaint = NULL;
    const char *wanted = getenv("SWWAE_ISA");
    if (!wanted || !*wanted) return best;
    for (int i = 0; i < CPU_ISA_COUNT; i++) {
        if (strcmp(wanted, names[i]) != 0) continue;
        if (cpu_has((enum cpu_isa)i)) return (enum cpu_isa)i;
        *complaint =
            "SWWAE_ISA names an instruction set this machine does not have; using its best";
        return best;
    }
    *complaint = "SWWAE_ISA must be reference, plain, avx2 or avx512; using this machine's best";
    return best;
}

static bool allowed(const char *variable) {
    const char *wanted = getenv(variable);
    return !wanted || strcmp(wanted, "0") != 0;
}

bool cpu_sparse(void) { return allowed("SWWAE_SPARSE"); }

bool cpu_winograd(void) { return allowed("SWWAE_WINOGRAD"); }
