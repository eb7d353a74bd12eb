/* test_allocations.c - every allocation fails once: the call ends in an error with a sentence, or
 * does without and gives the same result; it keeps no memory, and no file is lost.
 *
 * A call runs again and again, with its first allocation failing, its second, and so on until it
 * makes no more; then the same with all allocations failing from there on. */
#include "failing_memory.h"
#include "shrink.h"

#include "idx_bytes.h"
#include "picture_files.h"
#include "runs.h"
#include "study/finished.h"
#include "study/linear.h"
#include "study/table.h"

/* Thousands of runs write a few files each; what a crash of the machine keeps is not looked at. */
int fsync(int fd) {
    (void)fd;
    return 0;
}

/* ---- Results ------------------------------------------------------------------------------- */

static uint64_t digest; /* of what a call gave */

static void add(const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) digest = (digest ^ bytes[i]) * UINT64_C(1099511628211);
}

static void add_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char bytes[4096];
    size_t got;
    assert_non_null(file);
    while ((got = fread(bytes, 1, sizeof bytes, file))) add(bytes, got);
    fclose(file);
}

/* ---- Failing each in turn ------------------------------------------------------------------ */

struct call {
    const char *name;
    void (*prepare)(void);             /* may be NULL */
    swwae_status (*act)(void);         /* what is tried; adds its result to digest */
    void (*look)(swwae_status status); /* afterwards, with memory again; may be NULL */
    int stride;                        /* 1: every allocation; more: one of so many */
    int stride_after;                  /* the same with all after it */
};

/* Whether the n-th allocation was made, and so failed. */
static bool try_one(const struct call *call, long n, bool for_ever, uint64_t expected) {
    if (call->prepare) call->prepare();
    digest = 0;
    const long before = atomic_load(&memory_blocks);
    memory_fail(n, for_ever);
    const swwae_status status = call->act();
    const bool failed = memory_recover();
    const long kept = atomic_load(&memory_blocks) - before;
    if (kept && !SANITIZED) fail_msg("%s: allocation %ld: %ld blocks kept", call->name, n, kept);
    if (status == SWWAE_OK && digest != expected)
        fail_msg("%s: allocation %ld: another result and no error", call->name, n);
    if (status != SWWAE_OK && (!failed || !*swwae_last_error()))
        fail_msg("%s: allocation %ld: %s \"%s\"", call->name, n, swwae_status_text(status),
                 swwae_last_error());
    /* fopen and the like give the reason themselves */
    const bool named =
        status == SWWAE_OK || status == SWWAE_E_MEMORY || strstr(swwae_last_error(), "emory");
    if (!named)
        fail_msg("%s: allocation %ld: %s \"%s\"", call->name, n, swwae_status_text(status),
                 swwae_last_error());
    if (call->look) call->look(status);
    return failed;
}

static void fail_each(const struct call *call) {
    if (call->prepare) call->prepare();
    digest = 0;
    well(call->act());
    const uint64_t expected = digest;
    if (call->look) call->look(SWWAE_OK);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        long n = 1;
        const int stride = (for_ever ? call->stride_after : call->stride) * shrink();
        while (try_one(call, n, for_ever, expected)) n += stride;
        print_message("%s: %ld allocations%s\n", call->name, n - 1,
                      for_ever ? ", and all after" : "");
        assert_true(n > 1);
    }
}

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

/* A file is the one before, whole, or the new one. */
static uint64_t digest_of(const char *path) {
    const uint64_t kept = digest;
    digest = 0;
    add_file(path);
    const uint64_t found = digest;
    digest = kept;
    return found;
}

static void no_temporaries(const char *folder) {
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));)
        if (strstr(entry->d_name, ".tmp.")) fail_msg("%s/%s is left", folder, entry->d_name);
    closedir(list);
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

static void look_folder(swwae_status status) {
    (void)status;
    no_temporaries(temporary_path(""));
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

/* ---- Studies ------------------------------------------------------------------------------- */

#define TRAININGS                                                                \
    "training,version,kernels,rec,error,validation_error,seconds,core_seconds\n" \
    "a,0.1.0,avx2,0.1,2,3,4,5\nb,0.1.0,avx2,,2,3,4,\n"

static swwae_status act_linear(void) {
    struct linear linear = {0};
    float y[12] = {1, 2, 4, 8, 9, 3, 5, 7, 1, 0, 2, 6};
    const swwae_status status = linear_fit(&linear, images, y, 12, 4, 1, 1e-3);
    if (status == SWWAE_OK) add(linear.weights, 4 * sizeof *linear.weights);
    linear_free(&linear);
    return status;
}

static swwae_status act_table(void) {
    struct table table = {0};
    const swwae_status status = table_read(&table, temporary_path("table.csv"));
    if (status == SWWAE_OK) add(table.cells, 6 * sizeof *table.cells);
    table_free(&table);
    return status;
}

static swwae_status act_page(void) {
    struct study study = {0};
    struct page page = {0};
    swwae_status status = SWWAE_OK;
    snprintf(study.folder, sizeof study.folder, "%s", temporary_folder);
    TRY(page_begin(&page, &study, "page.md"));
    for (int i = 0; i < 2000; i++) page_row(page.to, (double[]){i, 0.5}, 2);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* The whole page, or the one before. */
static void look_page(swwae_status status) {
    static uint64_t whole;
    const uint64_t found = digest_of(temporary_path("page.md"));
    if (!whole) whole = found;
    assert_true(found == whole);
    look_folder(status);
}

static void write_trainings(void) {
    temporary_write(FINISHED_FILE, TRAININGS, sizeof TRAININGS - 1);
}

/* Two finished trainings read and more noted than there is room for, then saved. */
static swwae_status act_finished(void) {
    swwae_status status = SWWAE_OK;
    struct study study = {0};
    struct finished finished = {0};
    const struct training_result result = {.rec = NAN, .error = 1.5, .seconds = 3};
    char name[16];
    snprintf(study.folder, sizeof study.folder, "%s", temporary_folder);
    TRY(finished_read(&finished, &study));
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "training-%d", i);
        TRY(finished_note(&finished, name, &result));
    }
    TRY(finished_save(&finished, &study));
    add(&finished.count, sizeof finished.count);
fail:
    finished_free(&finished);
    return status;
}

static void test_studies(void **state) {
    (void)state;
    static const struct call calls[] = {
        {"linear", NULL, act_linear, NULL, 1, 1},
        {"table", NULL, act_table, NULL, 1, 1},
        {"page", NULL, act_page, look_page, 1, 1},
        {"finished", write_trainings, act_finished, look_folder, 1, 1}};
    make_images();
    temporary_write("table.csv", "a,b\n1,2\n3,4\n5,6\n", 16);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) fail_each(&calls[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models), cmocka_unit_test(test_data),
                                       cmocka_unit_test(test_measuring),
                                       cmocka_unit_test(test_training),
                                       cmocka_unit_test(test_studies)};
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
