/* fault.h - where in a training step a value first was not finite. */
#ifndef SWWAE_ENGINE_FAULT_H
#define SWWAE_ENGINE_FAULT_H

#include "engine/engine.h"

struct fault {
    bool found;
    char place[160]; /* "the output of encoder.1.0 (conv), image 3 of the batch" */
};

/* Takes the step again and looks at everything in the order of the step: the parameters, what each
 * operation leaves on the way forward, the terms of the loss, then each gradient on the way back.
 * What it finds does not depend on the number of threads. Not found: all is finite. gradient
 * (parameters) is overwritten. SWWAE_E_MEMORY, and the errors of engine_step. */
swwae_status engine_find_fault(struct engine *engine, struct fault *fault, real *gradient,
                               const real *parameters, const struct batch *batch);

#endif
