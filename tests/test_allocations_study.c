/* test_allocations_study.c - what studies read and write while memory runs out; see
 * failing_calls.h. */
#include "failing_calls.h"

#include "study/finished.h"
#include "study/linear.h"
#include "study/protocol.h"
#include "study/table.h"
#include "train/options.h"

/* ---- Tables ---- */

#define TRAININGS                                                                \
    "training,version,kernels,rec,error,validation_error,seconds,core_seconds\n" \
    "a,0.1.0,avx2,0.1,2,3,4,5\nb,0.1.0,avx2,,2,3,4,\n"

static swwae_status act_linear(void) {
    struct linear linear = {0};
    float x[12 * 4], y[12] = {1, 2, 4, 8, 9, 3, 5, 7, 1, 0, 2, 6};
    for (int i = 0; i < 12 * 4; i++) x[i] = (float)(i % 17) / 17;
    const swwae_status status = linear_fit(&linear, x, y, 12, 4, 1, 1e-3);
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

/* ---- study.json ---- */

static swwae_options *chosen;
static uint64_t protocol_before, protocol_after;

static struct study begun(void) {
    struct study study = {.kind = &study_mnist, .options = chosen, .seeds = 2};
    snprintf(study.folder, sizeof study.folder, "%s", temporary_folder);
    return study;
}

static void write_protocol(void) {
    const struct study study = begun();
    unlink(temporary_path("study.json"));
    well(protocol_write(&study, NULL));
    protocol_before = digest_of(temporary_path("study.json"));
}

/* Goes on with a study, and asks for a row more. */
static swwae_status act_protocol(void) {
    swwae_status status = SWWAE_OK;
    const struct study study = begun();
    json_t *before = NULL, *file = NULL;
    swwae_options *row = NULL;
    TRY(protocol_read(&before, &study));
    TRY(protocol_write(&study, before));
    TRY(options_copy(&row, chosen));
    TRY(swwae_options_set(row, "recipe", "plus"));
    TRY(protocol_read(&file, &study));
    TRY(protocol_row(file, &study, "plus", row, true));
    TRY(protocol_row(file, &study, "plus", row, false));
    TRY(protocol_save(&study, file));
fail:
    json_decref(file);
    swwae_options_free(row);
    json_decref(before);
    return status;
}

static void look_protocol(swwae_status status) {
    const uint64_t found = digest_of(temporary_path("study.json"));
    if (status == SWWAE_OK) protocol_after = found;
    assert_true(found == protocol_before || found == protocol_after);
    look_folder(status);
}

static void test_studies(void **state) {
    (void)state;
    static const struct call calls[] = {
        {"linear", NULL, act_linear, NULL, 1, 1},
        {"table", NULL, act_table, NULL, 1, 1},
        {"page", NULL, act_page, look_page, 1, 1},
        {"protocol", write_protocol, act_protocol, look_protocol, 1, 1},
        {"finished", write_trainings, act_finished, look_folder, 1, 1}};
    well(swwae_options_create(&chosen));
    temporary_write("table.csv", "a,b\n1,2\n3,4\n5,6\n", 16);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) fail_each(&calls[i]);
    swwae_options_free(chosen);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_studies)};
    return cmocka_run_group_tests(tests, temporary_make, temporary_remove);
}
