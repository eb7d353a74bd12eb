/* plot.c - plots by gnuplot; see plot.h. */
#include "study/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "study/table.h"

extern char **environ;

const char *plot_colour(int i) {
    static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7"};
    return colours[i & 3];
}

static swwae_status write_script(const struct study *study, const char *name, const char *body,
                                 int width, int height) {
    swwae_status status = SWWAE_OK;
    struct page page = {0};
    char file[64];
    snprintf(file, sizeof file, "%.50s.gp", name);
    TRY(page_begin(&page, study, file));
    fprintf(page.to,
            "# Draws %s.svg and %s.png; again by: gnuplot %s.gp\n"
            "set encoding utf8\n"
            "do for [format in \"svg png\"] {\n"
            "reset\n"
            "if (format eq \"svg\") {\n"
            "  set terminal svg size %d,%d font \"sans,13\" background \"white\"\n"
            "} else {\n"
            "  set terminal pngcairo size %d,%d font \"sans,10\" background \"white\"\n"
            "}\n"
            "set output \"%s.\".format\n"
            "%s"
            "unset output\n"
            "}\n",
            name, name, name, width, height, width, height, name, body);
    TRY(page_commit(&page));
fail:
    page_abandon(&page);
    return status;
}

/* gnuplot's `cd 'FOLDER'`; a quote within is doubled. False if it does not fit. */
static bool change_folder(char *text, size_t size, const char *folder) {
    size_t used = (size_t)snprintf(text, size, "cd '%s", *folder == '/' ? "" : "./");
    for (; *folder; folder++) {
        if (used + 4 > size) return false;
        if (*folder == '\'') text[used++] = '\'';
        text[used++] = *folder;
    }
    text[used++] = '\'';
    text[used] = 0;
    return true;
}

/* 0: drawn; ENOENT: there is no gnuplot; else it failed. No shell in between. */
static int run_gnuplot(const char *folder, const char *script) {
    char change[2 * STUDY_PATH], name[64];
    posix_spawn_file_actions_t actions;
    pid_t child;
    int state, error;
    if (!change_folder(change, sizeof change, folder)) return ENAMETOOLONG;
    snprintf(name, sizeof name, "%s", script);
    char command[] = "gnuplot", expression[] = "-e";
    char *const arguments[] = {command, expression, change, name, NULL};
    if (posix_spawn_file_actions_init(&actions)) return ENOMEM;
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && !error; fd++)
        error = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
    if (!error) error = posix_spawnp(&child, command, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) return error;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR) return errno;
    return WIFEXITED(state) && WEXITSTATUS(state) == 0     ? 0
           : WIFEXITED(state) && WEXITSTATUS(state) == 127 ? ENOENT
                                                           : EIO;
}

swwae_status plot_draw(struct study *study, const char *name, const char *body, int width,
                       int height) {
    swwae_status status = SWWAE_OK;
    char script[64];
    snprintf(script, sizeof script, "%.50s.gp", name);
    TRY(write_script(study, name, body, width, height));
    if (study->no_plots) return SWWAE_OK;
    const int error = run_gnuplot(study->folder, script);
    if (error == ENOENT) {
        study->no_plots = true;
        TRY(study_say(study,
                      "no plots are drawn: install gnuplot-nox, then run gnuplot on the .gp files "
                      "in %s, or the study again",
                      study->folder));
    } else if (error) {
        TRY(study_say(study, "gnuplot could not draw %s; run it in %s to see why", script,
                      study->folder));
    }
fail:
    return status;
}
