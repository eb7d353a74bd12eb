/* test_allocations.c - models, data, training and measuring while memory runs out; see
 * failing_calls.h. */
#include "failing_calls.h"

#include "idx_bytes.h"
#include "picture_files.h"
#include "runs.h"

/* ---- Models -------------------------------------------------------------------------------- */

#define NET "(3)3c-2p-(4)3c-2p-5fc"
#define SIDE 8

static float images[3 * SIDE * SIDE];

static void make_images(void) {
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = (float)(i % 17) / 17;
}

static swwae_status make_model(swwae_model **model) {
    swwae_status status = swwae_model_create(model, NET, 1, SIDE, SIDE, 3);
    if (status == SWWAE_OK) status = swwae_model_set_threads(*model, 1);
    return status;
}

static swwae_status act_create(void) {
    swwae_model *model = NULL;
    swwae_options *options = NULL;
    swwae_status status = SWWAE_OK;
    TRY(swwae_options_create(&options));
    TRY(swwae_options_set(options, "arch", NET));
    TRY(swwae_options_set(options, "beta", "hard,20"));
    TRY(swwae_model_create_from(&model, options, 1, SIDE, SIDE));
    const size_t parameters = swwae_model_parameters(model);
    add(&parameters, sizeof parameters);
fail:
    swwae_model_free(model);
    swwae_options_free(options);
    return status;
}

static swwae_status act_forward(void) {
    swwae_model *model = NULL;
    swwae_status status = SWWAE_OK;
    float p[15], rebuilt[3 * SIDE * SIDE], what[3 * 3 * 16];
    uint8_t where[3 * 3 * 16];
    TRY(make_model(&model));
    TRY(swwae_model_predict(model, images, 3, p));
    add(p, sizeof p);
    for (int w = SWWAE_WHERE_OWN; w <= SWWAE_WHERE_OTHER; w++) {
        TRY(swwae_model_reconstruct(model, images, 3, (swwae_where)w, rebuilt));
        add(rebuilt, sizeof rebuilt);
    }
    TRY(swwae_model_encode(model, images, 3, 0, what, where));
    add(what, sizeof what);
    add(where, sizeof where);
fail:
    swwae_model_free(model);
    return status;
}

static swwae_status act_describe(void) {
    swwae_model *model = NULL;
    char *json = NULL;
    swwae_status status = make_model(&model);
    if (status == SWWAE_OK) status = swwae_model_describe(model, &json);
    if (json) add(json, strlen(json));
    swwae_text_free(json);
    swwae_model_free(model);
    return status;
}

static uint64_t saved_before, saved_after;

static void prepare_save(void) {
    swwae_model *model;
    if (!saved_before) {
        well(make_model(&model));
        well(swwae_model_save(model, temporary_path("after.safetensors")));
        swwae_model_free(model);
        well(swwae_model_create(&model, NET, 1, SIDE, SIDE, 9));
        well(swwae_model_save(model, temporary_path("kept.safetensors")));
        swwae_model_free(model);
        saved_after = digest_of(temporary_path("after.safetensors"));
        saved_before = digest_of(temporary_path("kept.safetensors"));
    }
}

static swwae_status act_save(void) {
    swwae_model *model = NULL;
    swwae_status status = make_model(&model);
    if (status == SWWAE_OK) status = swwae_model_save(model, temporary_path("kept.safetensors"));
    swwae_model_free(model);
    return status;
}

static void look_save(swwae_status status) {
    const uint64_t found = digest_of(temporary_path("kept.safetensors"));
    assert_true(found == saved_after || (found == saved_before && status != SWWAE_OK));
    no_temporaries(temporary_path(""));
    if (found == saved_after && status == SWWAE_OK) { /* for the next */
        swwae_model *model;
        well(swwae_model_create(&model, NET, 1, SIDE, SIDE, 9));
        well(swwae_model_save(model, temporary_path("kept.safetensors")));
        swwae_model_free(model);
    }
}

/* A model that was trained, with options that say what its decoder and classes are worth. */
static swwae_status act_load(void) {
    swwae_model *model = NULL;
    float p[15];
    swwae_status status = SWWAE_OK;
    TRY(swwae_model_load(&model, temporary_path("trained/model.safetensors")));
    TRY(swwae_model_set_threads(model, 1));
    const int classes = swwae_model_classes(model);
    add(&classes, sizeof classes);
    for (int k = 0; k < classes; k++)
        add(swwae_model_class_name(model, k), strlen(swwae_model_class_name(model, k)));
    /* never taught labels: this must fail for that reason, or for the memory's */
    status = swwae_model_predict(model, images, 1, p);
    assert_int_not_equal(status, SWWAE_OK);
    status = status == SWWAE_E_ARGUMENT ? SWWAE_OK : status;
fail:
    swwae_model_free(model);
    return status;
}

static void test_models(void **state) {
    (void)state;
    static const struct call calls[] = {{"create", NULL, act_create, NULL, 1, 1},
                                        {"forward", NULL, act_forward, NULL, 1, 1},
                                        {"describe", NULL, act_describe, NULL, 1, 1},
                                        {"save", prepare_save, act_save, look_save, 1, 1},
                                        {"load", NULL, act_load, NULL, 1, 1}};
    struct seen seen = unseen(NULL);
    make_images();
    well(train(&seen, "trained", "arch", "(2)3c-2p-10fc", "labels", "none", "steps", "1", NULL));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) fail_each(&calls[i]);
}

/* ---- Data ---------------------------------------------------------------------------------- */

static const char *data_name; /* a folder or a file */

static swwae_status act_dataset(void) {
    swwae_dataset *dataset = NULL;
    char *json = NULL;
    float image[12 * 12];
    swwae_status status = SWWAE_OK;
    TRY(swwae_dataset_open(&dataset, data_name, SWWAE_SPLIT_TRAIN, 12));
    TRY(swwae_dataset_describe(dataset, &json));
    add(json, strlen(json));
    TRY(swwae_dataset_image(dataset, 1, image));
    add(image, sizeof image);
    const char *source = swwae_dataset_source(dataset, 2);
    add(source, strlen(source));
fail:
    swwae_text_free(json);
    swwae_dataset_free(dataset);
    return status;
}

static swwae_status act_file(void) {
    swwae_model *model = NULL;
    swwae_dataset *dataset = NULL;
    float image[SIDE * SIDE];
    const char *paths[2] = {data_name, data_name};
    swwae_status status = SWWAE_OK;
    TRY(make_model(&model));
    TRY(swwae_dataset_open_files(&dataset, paths, 2, model));
    for (size_t i = 0; i < swwae_dataset_count(dataset); i++) {
        TRY(swwae_dataset_image(dataset, i, image));
        add(image, sizeof image);
    }
fail:
    swwae_dataset_free(dataset);
    swwae_model_free(model);
    return status;
}

static void test_data(void **state) {
    (void)state;
    static const char *const files[] = {"gray.png",        "palette.png", "colour.jpg",
                                        "progressive.jpg", "array.npy",   "some-idx3-ubyte.gz"};
    uint8_t bytes[2048], array[2048];
    char kept[512];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = pixel(i);
    temporary_subfolder("plain");
    write_images("plain/train-images-idx3-ubyte", 3, 9, 1, SIDE, SIDE);
    write_labels("plain/train-labels-idx1-ubyte", 9, 3);
    temporary_subfolder("packed");
    write_images("packed/train-images-idx3-ubyte.gz", 3, 9, 1, SIDE, SIDE);
    write_labels("packed/train-labels-idx1-ubyte.gz", 9, 3);
    write_images("some-idx3-ubyte.gz", 3, 2, 1, SIDE, SIDE);
    png_file(temporary_path("gray.png"), (struct png_kind){PNG_COLOR_TYPE_GRAY, 8, 1}, SIDE, SIDE,
             bytes, SIDE);
    png_file(temporary_path("palette.png"), (struct png_kind){PNG_COLOR_TYPE_PALETTE, 2, 0}, SIDE,
             SIDE, bytes, SIDE / 4);
    jpeg_file(temporary_path("colour.jpg"), SIDE, SIDE, 3, 0, bytes);
    jpeg_file(temporary_path("progressive.jpg"), SIDE, SIDE, 1, 1, bytes);
    temporary_write("array.npy", array,
                    npy_bytes(array, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (8, 8)}",
                              bytes, SIDE * SIDE));
    static const char *const folders[] = {"plain", "packed"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(kept, sizeof kept, "%s", temporary_path(folders[i]));
        data_name = kept;
        fail_each(&(struct call){folders[i], NULL, act_dataset, NULL, 1, 1});
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(kept, sizeof kept, "%s", temporary_path(files[i]));
        data_name = kept;
        fail_each(&(struct call){files[i], NULL, act_file, NULL, 1, 1});
    }
}

/* ---- Measuring and writing ----------------------------------------------------------------- */

static swwae_dataset *shapes;

static swwae_status act_evaluate(void) {
    swwae_model *model = NULL;
    swwae_evaluation found = {0};
    swwae_status status = make_model(&model);
    if (status == SWWAE_OK) status = swwae_evaluate(model, shapes, NULL, NULL, &found);
    if (status == SWWAE_OK) {
        add(&found.error, sizeof found.error);
        add(found.confusion, 25 * sizeof *found.confusion);
    }
    swwae_evaluation_clear(&found);
    swwae_model_free(model);
    return status;
}

static swwae_status act_encode(void) {
    swwae_model *model = NULL;
    swwae_status status = make_model(&model);
    if (status == SWWAE_OK)
        status = swwae_encode(model, shapes, 1, temporary_path("codes"), NULL, NULL);
    swwae_model_free(model);
    return status;
}

static swwae_status act_picture(void) {
    return swwae_picture_write(temporary_path("picture.png"), images, 3, 1, SIDE, SIDE, 2, 2);
}

static void drop_bench_times(char *json) { /* only that there is one */
    add("bench", *json == '{' ? 5 : 4);
}

static swwae_status act_bench(void) {
    swwae_options *options = NULL;
    char *json = NULL;
    swwae_status status = SWWAE_OK;
    TRY(swwae_options_create(&options));
    TRY(swwae_options_set(options, "arch", "(2)3c-2p-2fc"));
    TRY(swwae_options_set(options, "batch", "2"));
    TRY(swwae_options_set(options, "threads", "1"));
    TRY(swwae_bench(options, 1, SIDE, SIDE, 1, NULL, NULL, &json));
    drop_bench_times(json);
fail:
    swwae_text_free(json);
    swwae_options_free(options);
    return status;
}

static void test_measuring(void **state) {
    (void)state;
    static const struct call calls[] = {{"evaluate", NULL, act_evaluate, NULL, 1, 1},
                                        {"encode", NULL, act_encode, look_folder, 1, 1},
                                        {"picture", NULL, act_picture, look_folder, 1, 1},
                                        {"bench", NULL, act_bench, NULL, 1, 7}};
    make_images();
    temporary_subfolder("eight");
    write_images("eight/train-images-idx3-ubyte", 3, 20, 1, SIDE, SIDE);
    write_labels("eight/train-labels-idx1-ubyte", 20, 5);
    well(swwae_dataset_open(&shapes, temporary_path("eight"), SWWAE_SPLIT_TRAIN, 0));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) fail_each(&calls[i]);
    swwae_dataset_free(shapes);
}

/* ---- Training ------------------------------------------------------------------------------ */

static swwae_options *training;
static uint64_t finished; /* of the model that a training comes to */

static void prepare_train(void) { temporary_remove_tree(temporary_path("run")); }

static swwae_status act_train(void) { return swwae_train(training, NULL, NULL); }

static uint64_t model_digest(void) {
    const uint64_t kept = digest;
    digest = 0;
    add_file(temporary_path("run/model.safetensors"));
    add_file(temporary_path("run/checkpoint.safetensors"));
    const uint64_t found = digest;
    digest = kept;
    return found;
}

/* A training that failed goes on to the same end, or left no run and begins anew. */
static void look_train(swwae_status status) {
    const bool begun = !access(temporary_path("run/checkpoint.safetensors"), F_OK);
    if (!access(temporary_path("run"), F_OK)) no_temporaries(temporary_path("run"));
    if (status != SWWAE_OK) {
        swwae_model *model;
        if (begun) {
            well(swwae_model_load(&model, temporary_path("run/checkpoint.safetensors")));
            swwae_model_free(model);
        }
        well(begun ? swwae_resume(temporary_path("run"), NULL, NULL, NULL)
                   : swwae_train(training, NULL, NULL));
    }
    if (!finished) finished = model_digest();
    assert_true(model_digest() == finished);
}

static int stop_soon(const swwae_progress *p, void *user) {
    (void)user;
    return p->step > 0;
}

static void prepare_resume(void) {
    prepare_train();
    assert_int_equal(swwae_train(training, stop_soon, NULL), SWWAE_E_INTERRUPTED);
}

static swwae_status act_resume(void) {
    return swwae_resume(temporary_path("run"), NULL, NULL, NULL);
}

static void test_training(void **state) {
    (void)state;
    static const char *const values[][2] = {
        {"arch", "(2)3c-2p-5fc"}, {"labels", "10"},  {"batch", "4"},   {"epochs", "2"},
        {"threads", "1"},         {"norm", "batch"}, {"beta", "hard"}, {"dropout", "0.1"},
        {"validation", "5"},      {"clip-norm", "1"}};
    temporary_subfolder("few");
    write_images("few/train-images-idx3-ubyte", 3, 20, 1, SIDE, SIDE);
    write_labels("few/train-labels-idx1-ubyte", 20, 5);
    well(swwae_options_create(&training));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        well(swwae_options_set(training, values[i][0], values[i][1]));
    well(swwae_options_set(training, "data", temporary_path("few")));
    well(swwae_options_set(training, "out", temporary_path("run")));
    fail_each(&(struct call){"train", prepare_train, act_train, look_train, 1, 11});
    fail_each(&(struct call){"resume", prepare_resume, act_resume, look_train, 1, 11});
    swwae_options_free(training);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models), cmocka_unit_test(test_data),
                                       cmocka_unit_test(test_measuring),
                                       cmocka_unit_test(test_training)};
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
