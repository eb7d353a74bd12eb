/* tables.h - small tables of errors, trained for the tests of what makes them and of what keeps
 * them. */
#ifndef SWWAE_TESTS_TABLES_H
#define SWWAE_TESTS_TABLES_H

#include "study_data.h"

#define SEEDS 3

static inline int prepare(void **state) {
    if (temporary_make(state)) return -1;
    small_split_data();
    return 0;
}

/* ---- Running ----------------------------------------------------------------------------- */

struct events {
    int stop_after; /* reports; 0: never */
    int calls, trainings, ended;
    int whole; /* how many had ended when all the work was first told as done; 0: it never was */
    char later[32];   /* the digit of every draw after the first, as its trainings began */
    double most_left; /* seconds_left at most; NaN: none was told */
};

static inline int listen(const swwae_progress *event, void *user) {
    struct events *events = user;
    events->calls++;
    const bool begins = event->message && strncmp(event->message, "training ", 9) == 0;
    events->trainings += begins;
    const char *seed = begins ? strstr(event->message, "-seed") : NULL;
    const size_t told = strlen(events->later);
    if (seed && seed[5] != '1' && told + 1 < sizeof events->later) events->later[told] = seed[5];
    events->ended += event->message && strstr(event->message, ": test error ");
    if (!event->message) {
        assert_string_equal(event->what, "study");
        assert_true(event->step <= event->steps);
        if (event->step == event->steps && !events->whole) events->whole = events->ended;
        events->most_left = fmax(events->most_left, event->seconds_left);
    }
    return events->stop_after && events->calls >= events->stop_after;
}

static inline swwae_options *small_options(void) {
    static const char *const pairs[][2] = {
        {"arch", "(4)3c-4p-(6)3c-4p-10fc"},
        {"steps", "12"},
        {"batch", "16"},
        {"lr", "0.010000000000000123"}, /* all its digits count */
        {"validation", "40"}};
    swwae_options *options;
    well(swwae_options_create(&options));
    well(swwae_options_set(options, "data", temporary_path("shapes-small")));
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        well(swwae_options_set(options, pairs[i][0], pairs[i][1]));
    return options;
}

static inline swwae_status table_study(struct events *events, const char *name, const char *rows,
                                       const char *counts, int jobs, const char *folder) {
    swwae_options *options = small_options();
    const swwae_study_settings settings = {.seeds = SEEDS,
                                           .quick = true,
                                           .jobs = jobs,
                                           .rows = rows,
                                           .counts = counts,
                                           .folder = temporary_path(folder)};
    swwae_status status = swwae_study(name, options, &settings, events ? listen : NULL, events);
    swwae_options_free(options);
    return status;
}

/* results.csv without its last two columns, the seconds. */
static inline char *results_of(const char *folder) {
    size_t size;
    char *text = file_of(folder, "results.csv", &size), *to = text;
    int commas = 0;
    for (const char *at = text; *at; at++) {
        commas = *at == '\n' ? 0 : commas + (*at == ',');
        if (commas < 7) *to++ = *at;
    }
    *to = 0;
    return text;
}

static inline void same_results(const char *a, const char *b) {
    char *of_a = results_of(a), *of_b = results_of(b);
    assert_string_equal(of_a, of_b);
    free(of_a);
    free(of_b);
}

#endif
