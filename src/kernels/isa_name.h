/* isa_name.h - names of functions that exist once per instruction set: SWWAE_ISA is plain, avx2 or
 * avx512, or reference. */
#ifndef SWWAE_KERNELS_ISA_NAME_H
#define SWWAE_KERNELS_ISA_NAME_H

#ifndef SWWAE_ISA
#define SWWAE_ISA reference
#endif

#define ISA_JOIN2(name, isa) name##_##isa
#define ISA_JOIN(name, isa) ISA_JOIN2(name, isa)
#define ISA(name) ISA_JOIN(name, SWWAE_ISA)

#endif
