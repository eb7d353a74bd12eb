/* fuzz_checkpoint.c - checkpoints, read into a model and an optimizer made for their network. */
#include "fuzz.h"
#include "train/checkpoint.h"
#include "train/model_file.h"

static void read_into(struct swwae_model *model, enum optimizer_kind kind, const char *path,
                      size_t most) {
    struct settings settings = {.optimizer = kind, .momentum = 0.9};
    struct optimizer optimizer;
    struct progress_state state = {0};
    fuzz_must(optimizer_create(&optimizer, &model->network, &settings) == SWWAE_OK, "optimizer");
    fuzz_begin();
    swwae_status status = checkpoint_read(model, &optimizer, &state, path);
    fuzz_end("checkpoint_read", most, status);
    if (status == SWWAE_OK)
        fuzz_must(state.step == model->step && state.row_step <= state.step &&
                      state.best_step <= state.step,
                  "steps of a checkpoint");
    optimizer_free(&optimizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t most = MIB + 64 * size;
    const char *path = fuzz_file("checkpoint.safetensors", data, size);
    struct swwae_model *model = NULL;
    fuzz_begin();
    swwae_status status = model_read(&model, path);
    fuzz_end("model_read", most, status);
    if (status != SWWAE_OK) return 0;
    read_into(model, OPTIMIZER_ADAM, path, most);
    read_into(model, OPTIMIZER_SGD, path, most);
    model_free(model);
    return 0;
}
