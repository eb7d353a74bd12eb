/* test_checkpoints.c - the two checkpoints of a run, its lock, and going on from whatever a kill or
 * a bad disk left. */
#include <sys/wait.h>

#include "runs.h"
#include "train/checkpoint.h"
#include "train/model_file.h"

/* A run that was stopped after a few saves, and the same without a stop. */
static void make_stopped(const char *name) {
    struct seen seen = unseen("train");
    assert_int_equal(train(&seen, name, "labels", "50", "checkpoint-every", "1", NULL),
                     SWWAE_E_INTERRUPTED);
    for (int i = 0; i < 2; i++) {
        seen = unseen("train");
        assert_int_equal(go_on(&seen, name), SWWAE_E_INTERRUPTED);
    }
}

static int make_whole(void **state) {
    if (temporary_make(state)) return -1;
    struct seen seen = unseen(NULL);
    well(train(&seen, "whole", "labels", "50", NULL));
    return 0;
}

static bool there(const char *run, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", run, name);
    return access(temporary_path(path), F_OK) == 0;
}

static uint64_t step_of(const char *run, const char *name) {
    char path[128];
    struct swwae_model *model;
    snprintf(path, sizeof path, "%s/%s", run, name);
    well(model_read(&model, temporary_path(path)));
    uint64_t step = model->step;
    model_free(model);
    return step;
}

static void goes_through(const char *run, const char *message) {
    struct seen seen = unseen(NULL);
    well(go_on(&seen, run));
    if (message && !strstr(seen.message, message))
        fail_msg("\"%s\", expected \"%s\"", seen.message, message);
    if (!message) assert_int_equal(seen.messages, 0);
    same_run("whole", run);
}

static void test_two_are_kept(void **state) {
    (void)state;
    make_stopped("two");
    uint64_t newest = step_of("two", "checkpoint.safetensors");
    uint64_t before = step_of("two", "checkpoint-previous.safetensors");
    assert_true(before < newest && before > 0);
    goes_through("two", NULL);
    uint64_t last = step_of("whole", "checkpoint.safetensors");
    assert_int_equal(step_of("two", "checkpoint.safetensors"), last);
    assert_in_range(step_of("two", "checkpoint-previous.safetensors"), newest, last - 1);
}

/* Every byte of a checkpoint counts: one that is changed anywhere is found out. */
static void test_checksum(void **state) {
    (void)state;
    make_stopped("sum");
    size_t size;
    struct swwae_model *model;
    char *bytes = file_of("sum", "checkpoint.safetensors", &size);
    for (size_t i = 0; i < size; i += 1 + i / 16) {
        bytes[i] ^= 4;
        temporary_write("changed", bytes, size);
        bytes[i] ^= 4;
        assert_int_equal(model_read(&model, temporary_path("changed")), SWWAE_E_FORMAT);
    }
    temporary_write("changed", bytes, size);
    well(model_read(&model, temporary_path("changed")));
    model_free(model);
    free(bytes);
}

static void test_damaged_newest(void **state) {
    (void)state;
    size_t size, n;
    make_stopped("hurt");
    char *bytes = file_of("hurt", "checkpoint.safetensors", &size);
    bytes[size / 2] ^= 1;
    temporary_write("hurt/checkpoint.safetensors", bytes, size);
    char *before = file_of("hurt", "checkpoint-previous.safetensors", &n);
    /* The damaged one never takes the place of the good one, though the run is stopped again. */
    struct seen seen = unseen("train");
    assert_int_equal(go_on(&seen, "hurt"), SWWAE_E_INTERRUPTED);
    assert_non_null(strstr(seen.message, "the file is damaged; going on from step "));
    assert_non_null(strstr(seen.message, ", the checkpoint before it"));
    temporary_write("hurt/checkpoint.safetensors", bytes, size);
    temporary_write("hurt/checkpoint-previous.safetensors", before, n);
    goes_through("hurt", "going on from step ");
    assert_int_equal(step_of("hurt", "checkpoint.safetensors"),
                     step_of("whole", "checkpoint.safetensors"));
    free(before);
    free(bytes);

    make_stopped("gone");
    unlink(temporary_path("gone/checkpoint.safetensors"));
    goes_through("gone", "cannot be opened (No such file or directory); going on from step ");
}

static void test_both_damaged(void **state) {
    (void)state;
    make_stopped("lost");
    temporary_write("lost/checkpoint.safetensors", "x", 1);
    temporary_write("lost/checkpoint-previous.safetensors", "xy", 2);
    struct seen seen = unseen(NULL);
    says(go_on(&seen, "lost"), SWWAE_E_FORMAT, "checkpoint.safetensors: has 1 bytes");
    unlink(temporary_path("lost/checkpoint.safetensors"));
    unlink(temporary_path("lost/checkpoint-previous.safetensors"));
    if (there("lost", "model.safetensors"))
        says(go_on(&seen, "lost"), SWWAE_E_IO, "though the folder holds a model");
}

/* Killed before its first checkpoint, with config.json or more. */
static void test_begins_again(void **state) {
    (void)state;
    static const char *const left[] = {"labels.json", "metrics.csv"};
    size_t size;
    char *config = file_of("whole", "config.json", &size);
    for (int files = 0; files <= 2; files++) {
        char run[16], path[64];
        snprintf(run, sizeof run, "early-%d", files);
        temporary_subfolder(run);
        snprintf(path, sizeof path, "%s/config.json", run);
        temporary_write(path, config, size);
        for (int i = 0; i < files; i++) {
            size_t n;
            char *bytes = file_of("whole", left[i], &n);
            snprintf(path, sizeof path, "%s/%s", run, left[i]);
            temporary_write(path, bytes, n);
            free(bytes);
        }
        goes_through(run, NULL);
    }
    free(config);
}

/* Killed between the checkpoint of the best step and the best model. */
static void test_model_is_mended(void **state) {
    (void)state;
    struct seen seen = unseen(NULL);
    well(train(&seen, "best", "labels", "50", "steps", "15", NULL)); /* one validation, the best */
    size_t size;
    char *model = file_of("best", "model.safetensors", &size);
    unlink(temporary_path("best/model.safetensors"));
    well(go_on(&seen, "best"));
    size_t n;
    char *again = file_of("best", "model.safetensors", &n);
    assert_int_equal(n, size);
    assert_memory_equal(again, model, n);
    free(again);
    free(model);
    well(train(&seen, "last", "validation", "0", "steps", "15", NULL)); /* the last, not the best */
    unlink(temporary_path("last/model.safetensors"));
    well(go_on(&seen, "last"));
    assert_int_equal(step_of("last", "model.safetensors"), 15);
}

/* A best model of steps that are not repeated, because the run goes on in another way, is not
 * passed off as the best of this one. */
static void test_foreign_model(void **state) {
    (void)state;
    make_stopped("fork");
    size_t size, n;
    char *newest = file_of("fork", "checkpoint.safetensors", &size);
    struct seen seen = unseen(NULL);
    well(go_on(&seen, "fork"));
    char *model = file_of("fork", "model.safetensors", &n);
    uint64_t best = step_of("fork", "model.safetensors");
    temporary_write("fork/checkpoint.safetensors", newest, size);
    swwae_options *more;
    well(swwae_options_create(&more));
    well(swwae_options_set(more, "steps", "30"));
    seen = unseen(NULL);
    well(swwae_resume(temporary_path("fork"), more, watch, &seen));
    assert_true(best > 15 || seen.messages == 0);
    assert_in_range(step_of("fork", "model.safetensors"), 15, 30);
    swwae_options_free(more);
    free(model);
    free(newest);
}

/* ---- The lock --------------------------------------------------------------------------- */

static int resume_inside(const swwae_progress *p, void *user) {
    (void)p;
    int *tried = user;
    if ((*tried)++) return 1;
    says(swwae_resume(temporary_path("locked"), NULL, NULL, NULL), SWWAE_E_IO,
         " is training here; wait until it ends, or stop it first");
    char holder[64];
    snprintf(holder, sizeof holder, "locked: process %ld on ", (long)getpid());
    assert_non_null(strstr(swwae_last_error(), holder));
    pid_t child = fork();
    if (!child) _exit(swwae_resume(temporary_path("locked"), NULL, NULL, NULL) != SWWAE_E_IO);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return 0;
}

static void test_second_is_refused(void **state) {
    (void)state;
    make_stopped("locked");
    int tried = 0;
    assert_int_equal(swwae_resume(temporary_path("locked"), NULL, resume_inside, &tried),
                     SWWAE_E_INTERRUPTED);
    assert_true(tried > 1);
    goes_through("locked", NULL); /* free again */
}

static void test_left_overs_go(void **state) {
    (void)state;
    make_stopped("untidy");
    temporary_write("untidy/checkpoint.safetensors.tmp.123", "half", 4);
    temporary_write("untidy/metrics.csv.tmp.1", "", 0);
    temporary_write("untidy/notes.tmp.1", "mine", 4);
    temporary_write("untidy/model.safetensors.tmp.x", "mine", 4);
    goes_through("untidy", NULL);
    assert_false(there("untidy", "checkpoint.safetensors.tmp.123"));
    assert_false(there("untidy", "metrics.csv.tmp.1"));
    assert_true(there("untidy", "notes.tmp.1"));
    assert_true(there("untidy", "model.safetensors.tmp.x"));
}

/* A state that is not finite, or of another size, is neither kept nor taken. */
static void test_odd_state(void **state) {
    (void)state;
    const struct settings adam = {.optimizer = OPTIMIZER_ADAM, .batch = 1, .average = 0.9};
    const char *path = temporary_path("odd.safetensors");
    struct swwae_model *model;
    struct optimizer optimizer;
    struct teacher teacher;
    struct progress_state now = {.step = 7};
    well(swwae_model_create(&model, "(2)3c-2p-3fc", 1, 6, 6, 1));
    model->step = now.step;
    well(optimizer_create(&optimizer, &model->network, &adam));
    well(teacher_create(&teacher, &adam, model->network.classes));
    well(checkpoint_check(model, &optimizer, &now, path));
    model->parameters[5] = NAN;
    assert_int_equal(checkpoint_check(model, &optimizer, &now, path), SWWAE_E_NUMERIC);
    assert_non_null(strstr(swwae_last_error(), "step 7: parameter encoder.0.0.weight is not"));
    model->parameters[5] = 0;

    float *const arrays[] = {optimizer.m, optimizer.v, optimizer.average};
    static const char *const names[] = {"optimizer.m", "optimizer.v", "optimizer.average"};
    const float bad[] = {INFINITY, -1, NAN};
    for (size_t i = 0; i < 3; i++) {
        const float kept = arrays[i][3];
        arrays[i][3] = bad[i];
        if (i != 1) /* finite, but no mean of squares */
            assert_int_equal(checkpoint_check(model, &optimizer, &now, path), SWWAE_E_NUMERIC);
        well(checkpoint_write(path, NULL, model, &optimizer, &teacher, &now));
        arrays[i][3] = kept;
        struct progress_state found;
        char expected[64];
        snprintf(expected, sizeof expected, "value 3 of tensor %s is ", names[i]);
        assert_int_equal(checkpoint_read(model, &optimizer, &teacher, &found, path),
                         SWWAE_E_FORMAT);
        if (!strstr(swwae_last_error(), expected)) fail_msg("%s", swwae_last_error());
    }
    const size_t size = optimizer.size;
    optimizer.size = size - 1;
    well(checkpoint_write(path, NULL, model, &optimizer, &teacher, &now));
    optimizer.size = size;
    assert_int_equal(checkpoint_read(model, &optimizer, &teacher, &now, path), SWWAE_E_FORMAT);
    assert_non_null(strstr(swwae_last_error(), "tensor optimizer.m does not have the shape"));
    teacher_free(&teacher);
    optimizer_free(&optimizer);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_are_kept),   cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_damaged_newest), cmocka_unit_test(test_both_damaged),
        cmocka_unit_test(test_begins_again),   cmocka_unit_test(test_model_is_mended),
        cmocka_unit_test(test_foreign_model),  cmocka_unit_test(test_second_is_refused),
        cmocka_unit_test(test_left_overs_go),  cmocka_unit_test(test_odd_state),
    };
    return cmocka_run_group_tests(tests, make_whole, temporary_remove);
}
