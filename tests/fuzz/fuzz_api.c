/* fuzz_api.c - the public interface, called with NULL, odd sizes, stages, classes and texts: each
 * byte of an input chooses a call or one of its arguments. Where an argument sets how much of a
 * buffer is used, the legal values among the choices fit the buffer. */
#include <limits.h>
#include <sys/stat.h>

#include "../idx_bytes.h"
#include "../picture_files.h"
#include "fuzz.h"

#define VALUES 512 /* of the buffers: 4 images, or 4 codes, of the model */
#define IMAGES 4
#define TRAINED 12 /* images of 6 x 6, of three classes, to train on */

static const uint8_t *at, *end;

static size_t choose(size_t n) { return at < end ? *at++ % n : 0; }

static const int numbers[] = {1, 0, 2, 3, 4, 6, -1, 17, 257, 4097, INT_MAX, INT_MIN};
static int number(void) { return numbers[choose(sizeof numbers / sizeof *numbers)]; }

/* Of a picture: three images of three channels and the largest legal side fit the buffer. */
static int side(void) {
    static const int sides[] = {1, 2, 6, 0, -1, INT_MAX, INT_MIN};
    return sides[choose(sizeof sides / sizeof *sides)];
}

/* The pointer, or NULL one time in four. */
static void *maybe(const void *pointer) {
    return choose(4) == 3 ? NULL : (void *)(uintptr_t)pointer;
}

/* The next bytes of the input as a text, or NULL. */
static const char *text(char *buffer, size_t room) {
    size_t n = choose(room);
    if (n > (size_t)(end - at)) n = (size_t)(end - at);
    memcpy(buffer, at, n);
    buffer[n] = 0;
    at += n;
    return maybe(buffer);
}

static struct {
    swwae_model *hard, *soft;
    swwae_dataset *data;
    swwae_options *options;
    float images[VALUES], out[VALUES];
    uint8_t cells[VALUES];
} it;

static void write_training_data(void) {
    uint8_t data[TRAINED * 36], file[sizeof data + 16];
    mkdir(fuzz_path("few"), 0700);
    for (size_t i = 0; i < sizeof data; i++) data[i] = pixel(i);
    size_t size = idx_bytes(file, 3, (uint32_t[3]){TRAINED, 6, 6}, data);
    fuzz_file("few/train-images-idx3-ubyte", file, size);
    for (size_t i = 0; i < TRAINED; i++) data[i] = (uint8_t)(i % 3);
    size = idx_bytes(file, 1, (uint32_t[1]){TRAINED}, data);
    fuzz_file("few/train-labels-idx1-ubyte", file, size);
    const char *config = "{\"lr\": 0.01, \"epochs\": 2}";
    fuzz_file("config.json", (const uint8_t *)config, strlen(config));
}

static void prepare(void) {
    static const uint8_t pixels[IMAGES * 36];
    uint8_t file[1024];
    swwae_options *options = NULL;
    size_t size =
        npy_bytes(file, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 6, 6), }", pixels,
                  sizeof pixels);
    const char *path = fuzz_file("images.npy", file, size);
    fuzz_must(swwae_model_create(&it.hard, "(2)3c-2p-3fc", 1, 6, 6, 1) == SWWAE_OK &&
                  swwae_options_create(&options) == SWWAE_OK &&
                  swwae_options_set(options, "arch", "(2)3c-2p-3fc") == SWWAE_OK &&
                  swwae_options_set(options, "beta", "20") == SWWAE_OK &&
                  swwae_model_create_from(&it.soft, options, 1, 6, 6) == SWWAE_OK &&
                  swwae_model_set_threads(it.hard, 1) == SWWAE_OK &&
                  swwae_model_set_threads(it.soft, 1) == SWWAE_OK &&
                  swwae_dataset_open_files(&it.data, &path, 1, it.hard) == SWWAE_OK &&
                  swwae_dataset_count(it.data) == IMAGES &&
                  swwae_options_create(&it.options) == SWWAE_OK &&
                  swwae_options_set(it.options, "arch", "(2)3c-2p-3fc") == SWWAE_OK,
              "objects to call with");
    swwae_options_free(options);
    write_training_data();
}

static swwae_model *a_model(void) {
    size_t k = choose(5);
    return k == 4 ? NULL : k == 3 ? it.soft : it.hard;
}

static swwae_status call_create(void) {
    char arch[64];
    swwae_model *made = NULL;
    const char *notation = choose(3) ? "(2)3c-2p-3fc" : text(arch, sizeof arch);
    int channels = number(), height = number(), width = number();
    /* a legal but long text may ask for gigabytes; that is the notation's fuzzing */
    if (notation == arch) channels = height = width = 1;
    swwae_model **out = maybe(&made);
    swwae_status status =
        choose(2) ? swwae_model_create(out, notation, channels, height, width, 1)
                  : swwae_model_create_from(out, maybe(it.options), channels, height, width);
    fuzz_must((status == SWWAE_OK) == !!made, "a model only from a call that succeeds");
    swwae_model_free(made);
    return status;
}

static swwae_status call_use(void) {
    swwae_model *model = a_model();
    const float *images = maybe(it.images);
    float *out = maybe(it.out);
    size_t n = choose(IMAGES + 1);
    switch (choose(5)) {
    case 0: return swwae_model_predict(model, images, n, out);
    case 1: return swwae_model_reconstruct(model, images, n, (swwae_where)number(), out);
    case 2: return swwae_model_reconstruct_as(model, images, n, number(), out);
    case 3: return swwae_model_encode(model, images, n, number(), out, maybe(it.cells));
    default: return swwae_model_encode_soft(model, images, n, number(), out, maybe(it.images));
    }
}

static swwae_status call_ask(void) {
    swwae_model *model = a_model();
    int a = -1, b = -1, c = -1;
    char *json = NULL;
    swwae_model_image_size(model, maybe(&a), maybe(&b), maybe(&c));
    const char *name = swwae_model_class_name(model, number());
    fuzz_must(!name || *name, "a class has a name");
    fuzz_must(swwae_model_beta(model, number()) >= 0, "beta");
    fuzz_must(swwae_model_classes(model) == (model ? 3 : 0), "classes");
    fuzz_must(swwae_model_stages(model) == (model ? 1 : 0), "stages");
    fuzz_must((swwae_model_parameters(model) > 0) == !!model, "parameters");
    if (choose(2)) return swwae_model_code_size(model, number(), maybe(&a), maybe(&b), maybe(&c));
    swwae_status status = swwae_model_describe(model, maybe(&json));
    swwae_text_free(json);
    return status;
}

static swwae_status call_files(void) {
    char folder[64];
    swwae_dataset *made = NULL;
    swwae_model *read = NULL;
    swwae_status status;
    const char *paths[2] = {maybe(fuzz_path("images.npy")), maybe(fuzz_path("absent.png"))};
    switch (choose(6)) {
    case 0: /* no file: only refusals, and no folder of this machine */
        status = swwae_dataset_open(maybe(&made), maybe(choose(2) ? "/dev/null" : "no such"),
                                    (swwae_split)number(), number());
        break;
    case 1:
        status = swwae_dataset_open_files(maybe(&made), maybe(paths), choose(3), a_model());
        break;
    case 2: status = swwae_model_load(maybe(&read), maybe(fuzz_path("images.npy"))); break;
    case 3: status = swwae_model_save(a_model(), maybe(fuzz_path("saved.safetensors"))); break;
    case 4: {
        const bool held_out = choose(2);
        const char *few = maybe(fuzz_path("few"));
        const swwae_split split = (swwae_split)choose(2);
        const int pad = number();
        status = held_out ? swwae_dataset_open_held_out(maybe(&made), few, split, pad & 63,
                                                        (size_t)number())
                          : swwae_dataset_open(maybe(&made), few, split, pad & 63);
        if (status == SWWAE_OK) swwae_dataset_check_held_out(maybe(made), a_model());
        if (status == SWWAE_OK) swwae_dataset_repeat_gray(maybe(made));
        swwae_dataset_is_there(few, (swwae_split)number());
        break;
    }
    default:
        snprintf(folder, sizeof folder, "no such run %d", number());
        status = swwae_resume(maybe(folder), maybe(it.options), NULL, NULL);
        break;
    }
    fuzz_must(status == SWWAE_OK || (!made && !read), "a failure leaves its outputs untouched");
    swwae_dataset_free(made);
    swwae_model_free(read);
    return status;
}

static swwae_status call_data(void) {
    swwae_dataset *data = maybe(it.data);
    int a = -1, b = -1, c = -1;
    char *json = NULL;
    size_t i = choose(2) ? choose(8) : SIZE_MAX;
    swwae_dataset_image_size(data, maybe(&a), maybe(&b), maybe(&c));
    fuzz_must(swwae_dataset_label(data, i) == -1 && swwae_dataset_classes(data) == 0, "no labels");
    fuzz_must(!swwae_dataset_class_name(data, number()), "no classes");
    fuzz_must(!!*swwae_dataset_source(data, i) == (data && i < IMAGES), "a source");
    if (choose(2)) return swwae_dataset_image(data, i, maybe(it.images));
    swwae_status status = swwae_dataset_describe(data, maybe(&json));
    swwae_text_free(json);
    return status;
}

static swwae_status call_long(void) {
    swwae_model *model = a_model();
    swwae_evaluation found = {0};
    char *json = NULL;
    swwae_status status;
    const swwae_study_settings odd = {.seeds = number(), .jobs = number(), .quick = true};
    switch (choose(5)) {
    case 0:
        status = swwae_evaluate(model, maybe(it.data), NULL, NULL, maybe(&found));
        swwae_evaluation_clear(choose(2) ? &found : NULL);
        swwae_evaluation_clear(&found);
        return status;
    case 1:
        return swwae_encode(model, maybe(it.data), number(), maybe(fuzz_path("codes")), NULL, NULL);
    case 2:
        return swwae_picture_write(maybe(fuzz_path("picture.png")), maybe(it.images), choose(4),
                                   number(), side(), side(), number(), number());
    case 3: return swwae_study(maybe("none"), maybe(it.options), maybe(&odd), NULL, NULL);
    default: /* the sizes are refused, or there is no repetition */
        status = swwae_bench(maybe(it.options), number(), number(), number(), -(int)choose(2), NULL,
                             NULL, maybe(&json));
        swwae_text_free(json);
        return status;
    }
}

static swwae_status call_options(void) {
    char value[64];
    swwae_options *options = NULL;
    const swwae_option_info *info = swwae_option_info_at(choose(256));
    fuzz_must(!swwae_option_info_at(SIZE_MAX) && !swwae_study_info_at(SIZE_MAX), "past the last");
    swwae_status status = swwae_options_create(&options);
    if (status == SWWAE_OK)
        status = swwae_options_set(maybe(options), maybe(info ? info->name : "none"),
                                   text(value, sizeof value));
    swwae_options_get(maybe(options), maybe(info ? info->name : "none"));
    swwae_options_free(options);
    return status;
}

static int stop_at_once(const swwae_progress *progress, void *user) {
    return strcmp(progress->what, user) == 0;
}

/* A training of two steps on a few small images, one option being odd, perhaps stopped and gone on
 * with; what it is asked besides. */
static swwae_status call_training(void) {
    static const char *const own[] = {"data", "arch", "out", "steps", "batch", "validation"};
    static const char *const values[] = {"0",     "1",   "2",   "0.5",  "none",
                                         "all",   "yes", "-1",  "auto", "classes",
                                         "batch", "sgd", "nan", "plus", "1e9"};
    static char *const moments[] = {"never", "message", "train", "validate"};
    swwae_options *options = NULL;
    swwae_memory memory = {0};
    char *drawn = NULL;
    swwae_dataset *few = NULL;
    float images[2 * 3 * 3] = {0.5F};
    const char *run = fuzz_path("run");
    const swwae_option_info *odd = swwae_option_info_at(choose(64));
    const char *value = values[choose(sizeof values / sizeof *values)];
    temporary_remove_tree(run);
    fuzz_must(swwae_options_create(&options) == SWWAE_OK &&
                  swwae_options_set(options, "data", fuzz_path("few")) == SWWAE_OK &&
                  swwae_options_set(options, "arch", "(2)3c-2p-3fc") == SWWAE_OK &&
                  swwae_options_set(options, "out", run) == SWWAE_OK &&
                  swwae_options_set(options, "steps", "2") == SWWAE_OK &&
                  swwae_options_set(options, "batch", "2") == SWWAE_OK &&
                  swwae_options_set(options, "validation", "3") == SWWAE_OK &&
                  swwae_options_set(options, "threads", "1") == SWWAE_OK,
              "options of a training");
    for (size_t i = 0; odd && i < sizeof own / sizeof *own; i++)
        if (strcmp(odd->name, own[i]) == 0) odd = NULL;
    swwae_status status = odd ? swwae_options_set(options, odd->name, value) : SWWAE_OK;
    switch (choose(6)) {
    case 0: status = swwae_options_load(maybe(options), maybe(fuzz_path("config.json"))); break;
    case 1: status = swwae_draw_labels(maybe(options), maybe(&drawn)); break;
    case 2: status = swwae_train_memory(maybe(options), maybe(&memory)); break;
    case 3:
        if ((status = swwae_dataset_open(&few, fuzz_path("few"), SWWAE_SPLIT_TRAIN, 0)) == SWWAE_OK)
            swwae_options_fit(maybe(options), maybe(few));
        status = swwae_augment(maybe(options), maybe(images), choose(3), 1, (int)choose(4),
                               (int)choose(4), choose(9));
        break;
    default: {
        char *moment = moments[choose(4)];
        status = swwae_train(maybe(options), stop_at_once, moment);
        if (status == SWWAE_E_INTERRUPTED) status = swwae_resume(run, NULL, NULL, NULL);
        break;
    }
    }
    fuzz_must(status == SWWAE_OK || (!drawn && !memory.peak), "a failure leaves its outputs");
    swwae_text_free(drawn);
    swwae_dataset_free(few);
    swwae_options_free(options);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static swwae_status (*const calls[])(void) = {call_create,  call_use,     call_ask,
                                                  call_files,   call_data,    call_long,
                                                  call_options, call_training};
    if (!it.hard) prepare();
    fuzz_must(*swwae_version() && swwae_last_error(), "texts that are always there");
    at = data;
    end = data + size;
    for (int k = 0; at < end && k < 8; k++) {
        fuzz_begin();
        swwae_status status = calls[choose(sizeof calls / sizeof *calls)]();
        fuzz_end("public calls", 64 * MIB, status);
        fuzz_must(*swwae_status_text(status) != 0, "a status has a name");
    }
    swwae_model_set_threads(a_model(), number() & 1);
    return 0;
}
