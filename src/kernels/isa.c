/* isa.c - the table of one instruction set. */
#include "kernels/isa.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

void ISA(kernels)(struct kernels *table) {
    table->name = TEXT(SWWAE_ISA);
    ISA(conv_install)(table);
    ISA(conv_few_install)(table);
    ISA(conv_outer_install)(table);
    ISA(conv_pool_install)(table);
    ISA(conv_scatter_install)(table);
    ISA(conv_winograd_install)(table);
    ISA(winograd_outer_install)(table);
    ISA(sparse_outer_install)(table);
    ISA(sparse_few_install)(table);
    ISA(pool_install)(table);
    ISA(linear_install)(table);
    ISA(elementwise_install)(table);
    ISA(soft_pool_install)(table);
    ISA(norm_install)(table);
    ISA(spin_install)(table);
}
