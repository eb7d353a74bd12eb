/* seeds.c - writes good files of every kind, where fuzzing starts: FOLDER/READER/NAME. */
#include <sys/stat.h>

#include "../idx_bytes.h"
#include "../picture_files.h"
#include "fuzz.h"
#include "train/checkpoint.h"
#include "train/model_file.h"

static const char *root;

static const char *path_of(const char *reader, const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", root, reader);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", root, reader, name);
    return path;
}

static void put(const char *reader, const char *name, const void *data, size_t size) {
    FILE *file = fopen(path_of(reader, name), "wb");
    fuzz_must(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, name);
}

static void put_text(const char *reader, const char *name, const char *text) {
    put(reader, name, text, strlen(text));
}

static void notations(void) {
    put_text("notation", "small", "(4)3c-2p-10fc");
    put_text("notation", "paper", "(64)5c-2p-(64)3c-2p-(64)3c-2p-10fc");
    put_text("notation", "encoder", "(16)5c-(32)3c-7p");
    put_text("notation", "spaces", " ( 1 ) 11 c - 16 p - 65536 fc ");
}

static void options(void) {
    swwae_options *made = NULL;
    char *json = NULL;
    fuzz_must(swwae_options_create(&made) == SWWAE_OK &&
                  options_json(&json, made, true) == SWWAE_OK,
              "options");
    put_text("options", "all", json);
    put_text("options", "few",
             "{\"arch\": \"(4)3c-2p-3fc\", \"lambda-m\": \"0.5,1\", \"beta\": \"hard,20\", "
             "\"lr\": 1e-3, \"seed\": 9223372036854775807, \"labels\": \"none\"}");
    free(json);
    swwae_options_free(made);
}

static uint8_t noise[4096];

static void idx_files(void) {
    static uint8_t plain[8192], packed[16384];
    const uint32_t size[][4] = {{2, 3, 4}, {1, 3, 2, 2}, {7}, {5, 6}};
    const int rank[] = {3, 4, 1, 2};
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", rank[i]);
        size_t n = idx_bytes(plain + 1, rank[i], size[i], noise);
        put("idx", name, plain + 1, n);
        put("gzip", name, packed, gzip_bytes(packed, plain + 1, n));
        plain[0] = (uint8_t)i;
        snprintf(name, sizeof name, "raw%d", i);
        put("gzip", name, plain, n + 1);
    }
}

static void cifar_files(void) {
    static uint8_t records[2 * 3074];
    char names[600] = "n";
    for (size_t i = 0; i < sizeof records; i++) records[i] = noise[i % sizeof noise];
    records[0] = 9; /* labels of CIFAR-10 */
    records[3073] = 0;
    put("cifar", "10", records, 2 * 3073);
    records[1] = 99;
    put("cifar", "100", records, 3074);
    for (int k = 0; k < 100; k++) sprintf(names + strlen(names), "c%d\n", k);
    put_text("cifar", "names", names);
}

static void npy_files(void) {
    uint8_t out[1024];
    float values[24] = {0, 0.5f, 1};
    double large[6] = {0.25, 1};
    put("npy", "u1", out,
        npy_bytes(out, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }", noise,
                  24));
    put("npy", "f4", out,
        npy_bytes(out, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2, 4), }",
                  values, sizeof values));
    put("npy", "f8", out,
        npy_bytes(out, 3, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", large,
                  sizeof large));
}

static void pictures(void) {
    const struct png_kind kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 0},       {PNG_COLOR_TYPE_GRAY, 8, 1},
        {PNG_COLOR_TYPE_GRAY, 16, 0},      {PNG_COLOR_TYPE_RGB, 8, 0},
        {PNG_COLOR_TYPE_RGB_ALPHA, 8, 1},  {PNG_COLOR_TYPE_PALETTE, 2, 0},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", i);
        png_file(path_of("png", name), kinds[i], 9, 7, noise, 32);
    }
    jpeg_file(path_of("jpeg", "gray"), 9, 7, 1, 0, noise);
    jpeg_file(path_of("jpeg", "colour"), 17, 7, 3, 0, noise);
    jpeg_file(path_of("jpeg", "progressive"), 9, 18, 3, 1, noise);
    jpeg_file(path_of("jpeg", "cmyk"), 8, 8, 4, 0, noise);
}

/* Architecture, image and variant of a model; and what a training says about itself. */
static void model_files(const char *name, const char *arch, int channels, int side,
                        const char *option, const char *value) {
    swwae_options *made = NULL;
    swwae_model *model = NULL;
    struct optimizer optimizer;
    struct teacher teacher = {0};
    struct progress_state state = {.step = 7,
                                   .row_step = 5,
                                   .best = true,
                                   .best_score = 12.5,
                                   .best_step = 5,
                                   .sums = {.steps = 2, .loss = 3.5}};
    fuzz_must(swwae_options_create(&made) == SWWAE_OK &&
                  swwae_options_set(made, "arch", arch) == SWWAE_OK &&
                  swwae_options_set(made, option, value) == SWWAE_OK &&
                  swwae_model_create_from(&model, made, channels, side, side) == SWWAE_OK &&
                  options_json(&model->options, made, false) == SWWAE_OK &&
                  swwae_model_save(model, path_of("model", name)) == SWWAE_OK,
              name);
    model->step = 7;
    fuzz_must(optimizer_create(&optimizer, &model->network, &made->settings) == SWWAE_OK &&
                  teacher_create(&teacher, &made->settings, model->network.classes) == SWWAE_OK &&
                  checkpoint_write(path_of("checkpoint", name), NULL, model, &optimizer, &teacher,
                                   &state) == SWWAE_OK,
              name);
    teacher_free(&teacher);
    optimizer_free(&optimizer);
    swwae_model_free(model);
    swwae_options_free(made);
}

static void models(void) {
    model_files("plain", "(2)1c-2p-3fc", 1, 4, "seed", "3");
    model_files("soft", "(1)3c-2p-(2)1c-2p-2fc", 1, 6, "beta", "hard,20");
    model_files("norm", "(2)1c-2p-2fc", 3, 4, "norm", "batch");
    model_files("pooled", "(2)1c-2p-2fc", 3, 4, "norm", "pooled");
    model_files("classes", "(2)1c-2p-2fc-2fc", 1, 4, "decoder-top", "classes");
    model_files("tied", "(2)3c-2p", 1, 4, "tied", "yes");
    model_files("sgd", "(1)1c-2p-2fc", 1, 4, "optimizer", "sgd");
    model_files("average", "(1)1c-2p-2fc", 1, 4, "average", "0.9");
    model_files("teacher", "(1)1c-2p-2fc", 1, 4, "consistency", "1");
}

static void tables(void) {
    put_text("table", "metrics",
             "epoch,step,lr,loss,nll,rec,m,l1,train_error,validation_error,validation_rec,seconds\n"
             "1,10,0.001,2.5,1.5,0.5,0.25,,50,49.5,0.125,1.25\n2,20,0.001,2.25,,,,,,,,2.5\n");
    put_text("table", "study", "seed,error\n1,2.5\n2,\n");
}

static void label_files(void) {
    put_text("labels", "numbers", "# drawn\n2\n118\n\n4\n");
    put_text("labels", "classes", "2,0\r\n4,1\r\n6,2\n20,9");
}

/* Bytes that choose calls and arguments: two of each call, one with the first choices. */
static void calls(void) {
    for (size_t k = 0; k < 8; k++) {
        char name[8];
        uint8_t bytes[64] = {0};
        snprintf(name, sizeof name, "%zu", k);
        for (size_t i = 0; i < 32; i++) bytes[32 + i] = noise[97 * k + i];
        bytes[0] = bytes[32] = (uint8_t)k;
        put("api", name, bytes, sizeof bytes);
    }
    put("api", "train", (uint8_t[]){7, 63, 0, 3, 0, 0}, 6);
    put("api", "train-stop-resume", (uint8_t[]){7, 63, 0, 3, 2, 0}, 6);
}

int main(int count, char **argument) {
    if (count != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    root = argument[1];
    mkdir(root, 0777);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)(i * 31 + i / 7);
    notations();
    options();
    idx_files();
    cifar_files();
    npy_files();
    pictures();
    models();
    tables();
    label_files();
    calls();
    return 0;
}
