/* test_draws.c - runs whose labels come from an index file, and whose test images are held out. */
#include "data/dataset.h"
#include "io/safetensors.h"
#include "picture_files.h"
#include "runs.h"

#include <jansson.h>

static void write_text(const char *name, const char *text) {
    temporary_write(name, text, strlen(text));
}

static swwae_options *options_for(const char *labels, const char *seed) {
    swwae_options *options;
    well(swwae_options_create(&options));
    well(swwae_options_set(options, "data", small_data()));
    well(swwae_options_set(options, "validation", "40"));
    well(swwae_options_set(options, "labels", labels));
    well(swwae_options_set(options, "seed", seed));
    return options;
}

/* The values of two runs' best models, without the options that stand beside them. */
static void same_tensors(const char *a, const char *b) {
    char path[2][128];
    struct safetensors files[2];
    snprintf(path[0], sizeof *path, "%s/model.safetensors", a);
    snprintf(path[1], sizeof *path, "%s/model.safetensors", b);
    for (int f = 0; f < 2; f++) well(safetensors_read(&files[f], temporary_path(path[f])));
    assert_int_equal(files[0].count, files[1].count);
    for (size_t i = 0; i < files[0].count; i++) {
        const struct safetensor *x = &files[0].tensors[i];
        const struct safetensor *y = safetensors_find(&files[1], x->name);
        size_t n = 1;
        assert_true(y && x->rank == y->rank);
        for (int d = 0; d < x->rank; d++) n *= x->shape[d];
        assert_memory_equal(x->data, y->data, n * sizeof *x->data);
    }
    for (int f = 0; f < 2; f++) safetensors_free(&files[f]);
}

/* A published draw gives the run that drew it: the same labels, the same validation images, the
 * same bits; and a run's own labels.csv is such a draw. */
static void test_label_file(void **state) {
    (void)state;
    char *text;
    swwae_options *options = options_for("50", "3");
    well(swwae_draw_labels(options, &text));
    write_text("draw.csv", text);
    swwae_options_free(options);
    struct seen seen = unseen(NULL);
    well(train(&seen, "drawn", "labels", "50", "seed", "3", NULL));
    seen = unseen(NULL);
    well(train(&seen, "listed", "label-file", temporary_path("draw.csv"), "seed", "3", NULL));
    same_file("drawn", "listed", "labels.json");
    same_file("drawn", "listed", "labels.csv");
    same_tensors("drawn", "listed");
    size_t size;
    char *csv = file_of("drawn", "labels.csv", &size);
    assert_string_equal(csv, text);
    free(csv);
    swwae_text_free(text);
    char *config = file_of("listed", "config.json", &size);
    assert_non_null(strstr(config, "\"labels\": 50"));
    free(config);
    /* another seed: the same labels, other weights */
    seen = unseen(NULL);
    well(train(&seen, "other", "label-file", temporary_path("drawn/labels.csv"), "seed", "4",
               "steps", "2", NULL));
    same_file("drawn", "other", "labels.csv");
}

/* A run that goes on reads its own copy. */
static void test_resume(void **state) {
    (void)state;
    write_text("mine.csv", "5\r\n# a remark\n\n17\n9\n44\n");
    struct seen seen = unseen(NULL);
    well(train(&seen, "whole", "label-file", temporary_path("mine.csv"), NULL));
    seen = unseen("train");
    assert_int_equal(train(&seen, "parts", "label-file", temporary_path("mine.csv"), NULL),
                     SWWAE_E_INTERRUPTED);
    assert_int_equal(unlink(temporary_path("mine.csv")), 0);
    seen = unseen(NULL);
    well(go_on(&seen, "parts"));
    same_run("whole", "parts");
    size_t size;
    char *csv = file_of("whole", "labels.csv", &size);
    assert_non_null(strstr(csv, "# 4 labelled images of the 240 training images of small\n"));
    assert_non_null(strstr(csv, "\n5,"));
    free(csv);
}

static void test_label_file_refusals(void **state) {
    (void)state;
    struct swwae_dataset *d;
    well(swwae_dataset_open(&d, small_data(), SWWAE_SPLIT_TRAIN, 0));
    char other[64];
    snprintf(other, sizeof other, "3,%d\n7,%d\n", d->labels[3], (d->labels[7] + 1) % 10);
    swwae_dataset_free(d);
    static const struct {
        const char *text, *words;
        swwae_status status;
    } cases[] = {{"", "names no image", SWWAE_E_DATA},
                 {"# nothing\n\n", "names no image", SWWAE_E_DATA},
                 {"1\n2\n1\n", "line 3: image 1 was named in line 1 already", SWWAE_E_DATA},
                 {"1\n240\n", "line 2: image 240 found, but small has training images 0 to 239",
                  SWWAE_E_DATA},
                 {"4294967295\n", "image 4294967295 found", SWWAE_E_DATA},
                 {"4294967296\n", "line 1: \"4294967296\" found", SWWAE_E_FORMAT},
                 {"-1\n", "\"-1\" found, expected an image's number", SWWAE_E_FORMAT},
                 {"1;2\n", "\"1;2\" found", SWWAE_E_FORMAT},
                 {"1,\n", "\"1,\" found", SWWAE_E_FORMAT},
                 {"1,2,3\n", "\"1,2,3\" found", SWWAE_E_FORMAT},
                 {" 1\n", "\" 1\" found", SWWAE_E_FORMAT},
                 {"image,class\n", "\"image,class\" found", SWWAE_E_FORMAT},
                 {"\xff\x01\n", "\"??\" found", SWWAE_E_FORMAT}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct seen seen = unseen(NULL);
        write_text("bad.csv", cases[c].text);
        says(train(&seen, "refused", "label-file", temporary_path("bad.csv"), NULL),
             cases[c].status, cases[c].words);
        assert_int_not_equal(access(temporary_path("refused"), F_OK), 0);
    }
    struct seen seen = unseen(NULL);
    write_text("bad.csv", other);
    says(train(&seen, "refused", "label-file", temporary_path("bad.csv"), NULL), SWWAE_E_DATA,
         "the file was made for other data");
    write_text("bad.csv", "1\n2\n");
    says(train(&seen, "refused", "label-file", temporary_path("bad.csv"), "labels", "10", NULL),
         SWWAE_E_ARGUMENT, "but --label-file lists 2 images");
    says(train(&seen, "refused", "label-file", temporary_path("bad.csv"), "lambda-nll", "0", NULL),
         SWWAE_E_ARGUMENT, "no label is used");
    says(train(&seen, "refused", "label-file", temporary_path("gone.csv"), NULL), SWWAE_E_IO,
         "gone.csv");
    says(
        train(&seen, "refused", "label-file", temporary_path("bad.csv"), "validation", "239", NULL),
        SWWAE_E_DATA, "2 labelled and 239 validation images are more than the 240");
}

/* ---- Many images and few labels ---------------------------------------------------------- */

/* Of 24 pictures with a label one in twelve is for validation, however many have none. Where a file
 * lists all of those, nothing is left to measure a net without decoder on: the last one is kept. */
static void test_many_unlabelled(void **state) {
    (void)state;
    static const char *const folders[] = {"many", "many/a", "many/b", "many/unlabelled"};
    char path[64], list[512] = "";
    uint8_t pixels[64];
    for (int f = 0; f < 4; f++) temporary_subfolder(folders[f]);
    for (int i = 0; i < 84; i++) {
        memset(pixels, i * 3, sizeof pixels);
        snprintf(path, sizeof path, "%s/%02d.png", folders[i < 24 ? 1 + i % 2 : 3], i);
        png_file(temporary_path(path), (struct png_kind){PNG_COLOR_TYPE_GRAY, 8, 0}, 8, 8, pixels,
                 8);
        if (i < 24) snprintf(list + strlen(list), sizeof list - strlen(list), "%d\n", i);
    }
    write_text("all.csv", list);
    struct seen seen = unseen(NULL);
    const char *data = temporary_path("many");
    char kept[512], listed[512];
    snprintf(kept, sizeof kept, "%s", data);
    snprintf(listed, sizeof listed, "%s", temporary_path("all.csv"));
    well(train(&seen, "few", "data", kept, "arch", "(2)3c-2p-2fc", "validation", "auto", "labels",
               "all", NULL));
    size_t size;
    char *text = file_of("few", "labels.json", &size);
    assert_non_null(strstr(text, "\"validation_per_class\": [1, 1]"));
    free(text);
    seen = unseen(NULL);
    well(train(&seen, "no-labels", "data", kept, "arch", "(2)3c-2p", "validation", "auto", "labels",
               "none", NULL));
    assert_true(metrics_have("no-labels", ",,,") && seen.validations > 0);
    text = file_of("no-labels", "labels.json", &size);
    assert_non_null(strstr(text, "\"validation_per_class\": [4, 3]"));
    free(text);
    seen = unseen(NULL);
    well(train(&seen, "none-left", "data", kept, "arch", "(2)3c-2p-2fc", "validation", "auto",
               "label-file", listed, "lambda-rec", "0", NULL));
    assert_int_equal(seen.validations, 0);
    assert_int_equal(seen.messages, 2); /* why, and what is kept */
}

/* ---- Test images held out --------------------------------------------------------------- */

static void test_hold_out(void **state) {
    (void)state;
    struct swwae_dataset *all, *train_set, *test_set, *again;
    well(swwae_dataset_open(&all, small_data(), SWWAE_SPLIT_TRAIN, 0));
    well(swwae_dataset_open_held_out(&train_set, small_data(), SWWAE_SPLIT_TRAIN, 36, 63));
    well(swwae_dataset_open_held_out(&test_set, small_data(), SWWAE_SPLIT_TEST, 36, 63));
    well(swwae_dataset_open_held_out(&again, small_data(), SWWAE_SPLIT_TEST, 0, 63));
    assert_true(train_set->count == 240 - 63 && test_set->count == 63);
    assert_true(train_set->held_out && train_set->held_out == test_set->held_out &&
                test_set->held_out == again->held_out);
    size_t counts[10] = {0}, seen[IMAGES] = {0};
    for (int split = 0; split < 2; split++) {
        struct swwae_dataset *d = split ? test_set : train_set;
        for (size_t i = 0; i < d->count; i++) {
            float a[1024], b[36 * 36];
            size_t number = dataset_number(d, i);
            char source[64];
            seen[number]++;
            if (split) counts[d->labels[i]]++;
            assert_int_equal(d->labels[i], all->labels[number]);
            well(swwae_dataset_image(all, number, a));
            well(swwae_dataset_image(d, i, b));
            for (int y = 0; y < 32; y++) assert_memory_equal(a + y * 32, b + (y + 2) * 36 + 2, 128);
            snprintf(source, sizeof source, "train-images-idx3-ubyte[%zu]", number);
            assert_string_equal(swwae_dataset_source(d, i), source);
        }
    }
    for (size_t i = 0; i < IMAGES; i++) assert_int_equal(seen[i], 1);
    for (int k = 0; k < 10; k++) assert_in_range(counts[k], 6, 7);
    swwae_dataset_free(all);
    swwae_dataset_free(train_set);
    swwae_dataset_free(test_set);
    swwae_dataset_free(again);
    says(swwae_dataset_open_held_out(&all, small_data(), SWWAE_SPLIT_TEST, 0, 240), SWWAE_E_DATA,
         "240 of the 240 training images of small cannot be held out");
}

/* Whether a list of labels.json holds the number. */
static bool lists(const json_t *labels, const char *key, size_t number) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(labels, key), i, item) {
        if (json_integer_value(item) == (json_int_t)number) return true;
    }
    return false;
}

/* No held-out image is labelled, unlabelled or in validation; measuring finds the same images; data
 * that changed is refused. */
static void test_held_out_run(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "held", "labels", "50", "test-count", "60", "seed", "1", NULL));
    struct seen stop = unseen("train");
    assert_int_equal(train(&stop, "held-parts", "labels", "50", "test-count", "60", NULL),
                     SWWAE_E_INTERRUPTED);
    stop = unseen(NULL);
    well(go_on(&stop, "held-parts"));
    same_run("held", "held-parts");

    struct swwae_dataset *test_set, *other;
    swwae_model *model;
    well(swwae_model_load(&model, temporary_path("held")));
    well(swwae_dataset_open_held_out(&test_set, small_data(), SWWAE_SPLIT_TEST, 0, 60));
    well(swwae_dataset_check_held_out(test_set, model));
    size_t size;
    char *text = file_of("held", "labels.json", &size);
    json_t *labels = json_loads(text, 0, NULL);
    free(text);
    assert_int_equal(json_integer_value(json_object_get(labels, "images")), 240);
    assert_int_equal(json_array_size(json_object_get(labels, "test")), 60);
    for (size_t i = 0; i < 60; i++) {
        size_t number = dataset_number(test_set, i);
        assert_true(lists(labels, "test", number));
        assert_false(lists(labels, "labelled", number));
        assert_false(lists(labels, "validation", number));
    }
    json_decref(labels);
    well(swwae_dataset_open_held_out(&other, small_data(), SWWAE_SPLIT_TEST, 0, 50));
    says(swwae_dataset_check_held_out(other, model), SWWAE_E_DATA, "the data has changed");
    swwae_dataset_free(other);
    /* a held-out image may not be labelled by a file */
    char line[32];
    snprintf(line, sizeof line, "%zu\n", dataset_number(test_set, 7));
    write_text("held.csv", line);
    says(
        train(&seen, "refused", "label-file", temporary_path("held.csv"), "test-count", "60", NULL),
        SWWAE_E_DATA, "is held out as a test image");
    /* one pixel of one test image is another */
    size_t place = 16 + dataset_number(test_set, 7) * 1024;
    swwae_dataset_free(test_set);
    FILE *file = fopen(temporary_path("small/train-images-idx3-ubyte"), "r+b");
    int byte = fseek(file, (long)place, SEEK_SET) ? EOF : fgetc(file);
    assert_int_not_equal(byte, EOF);
    assert_int_equal(fseek(file, (long)place, SEEK_SET), 0);
    fputc(byte ^ 1, file);
    fclose(file);
    well(swwae_dataset_open_held_out(&test_set, small_data(), SWWAE_SPLIT_TEST, 0, 60));
    says(swwae_dataset_check_held_out(test_set, model), SWWAE_E_DATA, "the data has changed");
    swwae_dataset_free(test_set);
    swwae_model_free(model);
    says(go_on(&stop, "held-parts"), SWWAE_E_DATA, "the data has changed");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_label_file),
                                       cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_label_file_refusals),
                                       cmocka_unit_test(test_many_unlabelled),
                                       cmocka_unit_test(test_hold_out),
                                       cmocka_unit_test(test_held_out_run)};
    return cmocka_run_group_tests_name("draws", tests, temporary_make, temporary_remove);
}
