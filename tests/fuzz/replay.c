/* replay.c - runs saved inputs through a fuzz target as an ordinary test: files, and folders of
 * them (those that are there). Fails when there is no input at all. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    long size = ftell(file);
    rewind(file);
    /* exactly as large, so that AddressSanitizer sees the first byte too far */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return 1;
}

static int replay(const char *path) {
    struct stat about;
    if (stat(path, &about)) return 0;
    if (!S_ISDIR(about.st_mode)) return replay_file(path);
    DIR *folder = opendir(path);
    int n = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char inside[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        n += replay(inside);
    }
    if (folder) closedir(folder);
    return n;
}

int main(int count, char **argument) {
    int n = 0;
    for (int i = 1; i < count; i++) n += replay(argument[i]);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
