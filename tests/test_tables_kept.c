/* test_tables_kept.c - the folder of a table: going on after a stop, after a kill and from its two
 * small files alone, and what is refused of it. */
#include "tables.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The folder `table`: what is compared with. */
static int prepare_table(void **state) {
    return prepare(state) ||
           table_study(NULL, "mnist", "convnet,no-l2m", "20,all", 2, "table") != SWWAE_OK;
}

static void test_interrupted(void **state) {
    (void)state;
    swwae_status status = SWWAE_E_INTERRUPTED;
    int calls = 0;
    for (; status == SWWAE_E_INTERRUPTED && calls < 200; calls++) {
        struct events events = {.stop_after = 3 + 4 * (calls % 3)};
        status = table_study(&events, "mnist", "convnet,no-l2m", "20,all", 2, "parts");
        if (status == SWWAE_E_INTERRUPTED)
            assert_non_null(strstr(swwae_last_error(), "run the study again"));
    }
    well(status);
    assert_true(calls > 3);
    same_results("table", "parts");
    same_file("table", "parts", "choice.csv");
}

/* A folder without its runs and on another machine: nothing is trained again, and what is added
 * goes on from there. */
static void test_without_runs(void **state) {
    (void)state;
    struct events events = {0};
    struct stat about;
    char command[1024];
    well(table_study(NULL, "mnist", "convnet", "20", 2, "whole"));
    snprintf(command, sizeof command,
             "cd '%s' && mkdir kept && cp whole/study.json whole/trainings.csv kept && "
             "mv shapes-small moved && mkdir other && mv moved other/shapes-small",
             temporary_folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    swwae_options *options = small_options();
    well(swwae_options_set(options, "data", temporary_path("other/shapes-small/")));
    swwae_study_settings settings = {.seeds = SEEDS,
                                     .quick = true,
                                     .jobs = 2,
                                     .rows = "convnet",
                                     .counts = "20",
                                     .folder = temporary_path("kept")};
    well(swwae_study("mnist", options, &settings, listen, &events));
    assert_int_equal(events.trainings, 0);
    same_results("whole", "kept");
    same_file("whole", "kept", "choice.csv");
    settings.seeds = 1; /* the tables show the other draws all the same */
    well(swwae_study("mnist", options, &settings, listen, &events));
    assert_int_equal(events.trainings, 0);
    same_results("whole", "kept");
    settings.seeds = SEEDS;
    assert_int_not_equal(stat(temporary_path("kept/runs"), &about), 0);
    settings.rows = "convnet,fine-tuned";
    well(swwae_study("mnist", options, &settings, listen, &events));
    assert_int_equal(events.trainings, 2 * SEEDS); /* one unsupervised a draw */
    /* its models are gone, so what begins with them needs them again */
    snprintf(command, sizeof command, "rm -r '%s'", temporary_path("kept/runs"));
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    events = (struct events){0};
    settings.rows = "frozen";
    well(swwae_study("mnist", options, &settings, listen, &events));
    assert_int_equal(events.trainings, 2 * SEEDS);
    swwae_options_free(options);
    snprintf(command, sizeof command, "cd '%s' && mv other/shapes-small .", temporary_folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

/* A row that another version trained otherwise is not gone on with, even where it is not asked for
 * now; others are kept beside it. */
static void test_other_recipe(void **state) {
    (void)state;
    char command[1024];
    well(table_study(NULL, "mnist", "convnet", "20", 1, "recipes"));
    well(table_study(NULL, "mnist", "plain-convnet,no-l2m", "20", 1, "recipes"));
    snprintf(command, sizeof command,
             "cd '%s/recipes' && grep -q '\"plain-convnet\": {' study.json && "
             "grep -q '\"swwae-dropout-c3\": {' study.json && "
             "sed -i 's/\"dropout\": 0.8/\"dropout\": 0.7/' study.json",
             temporary_folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            table_study(NULL, "mnist", i ? "plain-convnet" : "no-l2m", "20", 1, "recipes"),
            SWWAE_E_ARGUMENT);
        if (!strstr(swwae_last_error(), "recipes holds the row ") ||
            !strstr(swwae_last_error(), " with --dropout 0.7, now it is 0.8; "))
            fail_msg("%s", swwae_last_error());
    }
}

/* A damaged line is told with its place. */
static void test_damaged_trainings(void **state) {
    (void)state;
    static const char header[] =
        "training,version,kernels,rec,error,validation_error,seconds,core_seconds\n";
    static const char *const lines[][2] = {
        {"convnet-20-c0-seed1,0.1.0,avx2,,1.5,2.5,,3\n", "row 1 (convnet-20-c0-seed1) has no num"},
        {"a,0.1.0,avx2,,1,2,3,4\na,0.1.0,avx2,,1,2,3,4\n", "row 2: a is there twice"},
        {"a,0.1.0,avx2,,one,2,3,4\n", "row 1 is not 5 numbers after its names"},
        {",0.1.0,avx2,,1,2,3,4\n", "row 1 does not begin with a training"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[512], folder[32];
        snprintf(folder, sizeof folder, "damaged-%zu", i);
        well(file_make_folder(temporary_path(folder)));
        snprintf(folder, sizeof folder, "damaged-%zu/trainings.csv", i);
        const int size = snprintf(text, sizeof text, "%s%s", header, lines[i][0]);
        well(file_write(temporary_path(folder), text, (size_t)size));
        snprintf(folder, sizeof folder, "damaged-%zu", i);
        assert_int_equal(table_study(NULL, "mnist", "convnet", "20", 1, folder), SWWAE_E_FORMAT);
        if (!strstr(swwae_last_error(), lines[i][1])) fail_msg("%s", swwae_last_error());
    }
}

/* When the first training was finished, 0: not yet. */
static double finished_at(const char *folder) {
    struct stat about;
    char path[128];
    snprintf(path, sizeof path, "%s/runs/convnet-20-c0-seed1/test.csv", folder);
    if (stat(temporary_path(path), &about)) return 0;
    return (double)about.st_mtim.tv_sec + 1e-9 * (double)about.st_mtim.tv_nsec;
}

/* Killed again and again, at ever later moments: finished trainings are not run again, and the
 * tables come out the same. */
static void test_killed(void **state) {
    (void)state;
    double finished = 0;
    int code = -1, kills = 0;
    for (; code < 0 && kills < 40; kills++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child)
            _exit(table_study(NULL, "mnist", "convnet,no-l2m", "20,all", 2, "killed") != SWWAE_OK);
        const double moment = 0.02 * pow(1.25, kills); /* seconds */
        int how;
        for (int tick = 0; waitpid(child, &how, WNOHANG) == 0; tick++) {
            if (tick == (int)(moment * 1000)) kill(child, SIGKILL);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        code = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
        if (finished > 0) assert_true(finished_at("killed") == finished);
        finished = finished_at("killed");
    }
    assert_int_equal(code, 0);
    assert_true(kills > 1);
    same_results("table", "killed");
    same_file("table", "killed", "choice.csv");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted),       cmocka_unit_test(test_killed),
        cmocka_unit_test(test_without_runs),      cmocka_unit_test(test_other_recipe),
        cmocka_unit_test(test_damaged_trainings),
    };
    return cmocka_run_group_tests(tests, prepare_table, temporary_remove);
}
