/* temporary.h - a test's folder for its files: made, filled, removed with all that is in it. */
#ifndef SWWAE_TESTS_TEMPORARY_H
#define SWWAE_TESTS_TEMPORARY_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char temporary_folder[256];

/* Group set-up: makes the folder. */
static inline int temporary_make(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(temporary_folder, sizeof temporary_folder, "%s/swwae-test-XXXXXX",
             base && *base ? base : "/tmp");
    return mkdtemp(temporary_folder) ? 0 : -1;
}

static inline void temporary_remove_tree(const char *path) {
    DIR *list = opendir(path);
    if (!list) {
        unlink(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(list));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char inner[1024];
        snprintf(inner, sizeof inner, "%.700s/%.300s", path, entry->d_name);
        struct stat about;
        if (lstat(inner, &about) == 0 && S_ISDIR(about.st_mode))
            temporary_remove_tree(inner);
        else
            unlink(inner);
    }
    closedir(list);
    rmdir(path);
}

/* Group tear-down. */
static inline int temporary_remove(void **state) {
    (void)state;
    temporary_remove_tree(temporary_folder);
    return 0;
}

/* The path of a file in the folder: one of eight buffers in turn. */
static inline const char *temporary_path(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", temporary_folder, name);
    return path;
}

/* Writes a file of the folder; its path. Ends the test program if it cannot. */
static inline const char *temporary_write(const char *name, const void *data, size_t size) {
    const char *path = temporary_path(name);
    unlink(path); /* some file systems flush a file that is cut to nothing and written again */
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    return path;
}

static inline const char *temporary_subfolder(const char *name) {
    const char *path = temporary_path(name);
    mkdir(path, 0700);
    return path;
}

#endif
