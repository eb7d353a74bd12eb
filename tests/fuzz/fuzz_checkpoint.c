/* fuzz_checkpoint.c - checkpoints, read into a model and an optimizer made for their network. Each
 * as it is, and with its checksum put right, else what lies behind that would never be reached. */
#include <inttypes.h>
#include <zlib.h>

#include "fuzz.h"
#include "train/checkpoint.h"
#include "train/model_file.h"

static void read_into(struct swwae_model *model, struct settings settings, const char *path,
                      size_t most) {
    struct optimizer optimizer;
    struct teacher teacher;
    struct progress_state state = {0};
    fuzz_must(optimizer_create(&optimizer, &model->network, &settings) == SWWAE_OK &&
                  teacher_create(&teacher, &settings, model->network.classes) == SWWAE_OK,
              "optimizer and teacher");
    fuzz_begin();
    swwae_status status = checkpoint_read(model, &optimizer, &teacher, &state, path);
    fuzz_end("checkpoint_read", most, status);
    if (status == SWWAE_OK)
        fuzz_must(state.step == model->step && state.row_step <= state.step &&
                      state.best_step <= state.step,
                  "steps of a checkpoint");
    teacher_free(&teacher);
    optimizer_free(&optimizer);
}

static void try_file(const uint8_t *data, size_t size) {
    const size_t most = MIB + 64 * size;
    const char *path = fuzz_file("checkpoint.safetensors", data, size);
    struct swwae_model *model = NULL;
    fuzz_begin();
    swwae_status status = model_read(&model, path);
    fuzz_end("model_read", most, status);
    if (status != SWWAE_OK) return;
    const struct settings adam = {.optimizer = OPTIMIZER_ADAM, .batch = 1};
    const struct settings sgd = {.optimizer = OPTIMIZER_SGD, .momentum = 0.9, .batch = 1};
    struct settings averaged = adam, taught = adam;
    averaged.average = 0.9;
    taught.consistency = 1;
    read_into(model, adam, path, most);
    read_into(model, sgd, path, most);
    read_into(model, averaged, path, most);
    if (model->network.classes) read_into(model, taught, path, most);
    model_free(model);
}

/* Where the eight digits of the checksum stand; NULL: there is none. */
static uint8_t *checksum_of(uint8_t *data, size_t size) {
    static const char key[] = "\"crc32\":\"";
    const size_t length = sizeof key - 1;
    for (size_t i = 0; i + length + 8 <= size; i++)
        if (memcmp(data + i, key, length) == 0) return data + i + length;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_file(data, size);
    uint8_t *copy = malloc(size + 1);
    if (!copy) return 0;
    memcpy(copy, data, size);
    uint8_t *digits = checksum_of(copy, size);
    if (digits) {
        char right[9];
        memset(digits, '0', 8);
        snprintf(right, sizeof right, "%08" PRIx32, (uint32_t)crc32_z(0, copy, size));
        memcpy(digits, right, 8);
        if (memcmp(copy, data, size) != 0) try_file(copy, size);
    }
    free(copy);
    return 0;
}
