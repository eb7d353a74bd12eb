/* fuzz_model.c - model files: reading, describing, writing back, and use where the net is small. */
#include "fuzz.h"
#include "train/model_file.h"

static char *described(const swwae_model *model) {
    char *json = NULL;
    fuzz_must(swwae_model_describe(model, &json) == SWWAE_OK, "a model is described");
    return json;
}

static void use(swwae_model *model) {
    float image[64] = {0.5f}, out[64];
    int channels, height, width, classes = swwae_model_classes(model);
    swwae_model_image_size(model, &channels, &height, &width);
    if (channels * height * width > 64 || classes > 64 || swwae_model_parameters(model) > 4096)
        return;
    swwae_model_set_threads(model, 1);
    /* finite weights may still overflow, which is refused */
    if (classes) swwae_model_predict(model, image, 1, out);
    swwae_model_reconstruct(model, image, 1, SWWAE_WHERE_OWN, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* jansson takes about 40 bytes for a byte of hostile header */
    const size_t most = MIB + 64 * size;
    const char *path = fuzz_file("model.safetensors", data, size);
    swwae_model *model = NULL, *again = NULL;
    fuzz_begin();
    swwae_status status = swwae_model_load(&model, path);
    fuzz_end("swwae_model_load", most, status);
    if (status != SWWAE_OK) return 0;
    path = fuzz_path("again.safetensors");
    fuzz_must(swwae_model_save(model, path) == SWWAE_OK &&
                  swwae_model_load(&again, path) == SWWAE_OK,
              "a model that was read is written and read again");
    char *first = described(model), *second = described(again);
    fuzz_must(!strcmp(first, second), "a model is the same after writing");
    use(model);
    free(first);
    free(second);
    swwae_model_free(model);
    swwae_model_free(again);
    return 0;
}
