/* test_file.c - io/file: reading with a bound, replacing atomically, making folders. */
#include "io/file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256]; /* where all files of this test lie */
static char name[512];   /* the answer of path() */

static const char *path(const char *file) {
    snprintf(name, sizeof name, "%s/%s", folder, file);
    return name;
}

/* What a path's temporary is called. */
static char *temporary_of(const char *file) {
    static char text[600];
    snprintf(text, sizeof text, "%s.tmp.%ld", path(file), (long)getpid());
    return text;
}

static void must_hold(const char *file, const char *content) {
    char *data;
    size_t size;
    assert_int_equal(file_read(path(file), 1 << 20, &data, &size), SWWAE_OK);
    assert_int_equal(size, strlen(content));
    assert_string_equal(data, content); /* the zero byte is there */
    free(data);
}

static int entries(void) {
    int count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    while (readdir(list)) count++;
    closedir(list);
    return count - 2; /* . and .. */
}

static void message_names(const char *file) {
    assert_non_null(strstr(swwae_last_error(), path(file)));
}

static int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/swwae-file-XXXXXX", base ? base : "/tmp");
    return !mkdtemp(folder);
}

/* Removes what the folder holds (one level) and the folder. */
static int remove_folder(void **state) {
    (void)state;
    DIR *list = opendir(folder);
    if (!list) return -1;
    for (struct dirent *entry; (entry = readdir(list));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove(path(entry->d_name));
    closedir(list);
    return rmdir(folder);
}

static void write_then_read(void **state) {
    (void)state;
    assert_int_equal(file_write(path("a"), "first", 5), SWWAE_OK);
    must_hold("a", "first");
    assert_int_equal(file_write(path("a"), "second time", 11), SWWAE_OK);
    must_hold("a", "second time");
    assert_int_equal(file_write(path("a"), NULL, 0), SWWAE_OK);
    must_hold("a", "");
    assert_int_equal(entries(), 1); /* no temporary is left */
}

static void write_to_the_present_folder(void **state) {
    (void)state;
    char before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(file_write("bare", "x", 1), SWWAE_OK);
    assert_int_equal(chdir(before), 0);
    must_hold("bare", "x");
}

static void reading_is_bounded(void **state) {
    (void)state;
    char *data = NULL;
    size_t size = 77;
    assert_int_equal(file_write(path("a"), "12345", 5), SWWAE_OK);
    assert_int_equal(file_read(path("a"), 4, &data, &size), SWWAE_E_FORMAT);
    message_names("a");
    assert_int_equal(file_read(path("a"), 0, &data, &size), SWWAE_E_FORMAT);
    assert_null(data); /* untouched on failure */
    assert_int_equal(size, 77);
    assert_int_equal(file_read(path("a"), 5, &data, &size), SWWAE_OK);
    free(data);
    /* A sparse file is refused by its length, before memory is taken for it. */
    assert_int_equal(truncate(path("a"), (off_t)1 << 30), 0);
    assert_int_equal(file_read(path("a"), 1 << 20, &data, &size), SWWAE_E_FORMAT);
}

static void only_regular_files_are_read(void **state) {
    (void)state;
    char *data;
    size_t size;
    assert_int_equal(file_read(path("missing"), 10, &data, &size), SWWAE_E_IO);
    message_names("missing");
    assert_int_equal(file_read(folder, 10, &data, &size), SWWAE_E_IO);
    assert_int_equal(file_read("/dev/zero", 10, &data, &size), SWWAE_E_IO);
    assert_int_equal(mkfifo(path("fifo"), 0600), 0);
    assert_int_equal(file_read(path("fifo"), 10, &data, &size), SWWAE_E_IO); /* does not hang */
    message_names("fifo");
}

/* A device, a folder, a link: renaming over one would destroy it. */
static void only_regular_files_are_replaced(void **state) {
    (void)state;
    assert_int_equal(file_write(folder, "x", 1), SWWAE_E_IO);
    assert_int_equal(file_write(path("fifo"), "x", 1), SWWAE_E_IO);
    assert_int_equal(symlink("a", path("link")), 0);
    assert_int_equal(file_write(path("link"), "x", 1), SWWAE_E_IO);
    message_names("link");
    assert_int_equal(file_write("", "x", 1), SWWAE_E_IO);
}

static void abandoned_writer_changes_nothing(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_write(path("a"), "old", 3), SWWAE_OK);
    int before = entries();
    assert_int_equal(file_begin(&writer, path("a")), SWWAE_OK);
    assert_int_equal(file_put(&writer, "new content", 11), SWWAE_OK);
    assert_int_equal(entries(), before + 1);
    file_abandon(&writer);
    file_abandon(&writer); /* twice does no harm */
    file_abandon(NULL);
    must_hold("a", "old");
    assert_int_equal(entries(), before);
}

static void failed_begin_changes_nothing(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_write(path("a"), "old", 3), SWWAE_OK);
    /* A folder where the temporary should be. */
    assert_int_equal(mkdir(temporary_of("a"), 0700), 0);
    int before = entries();
    assert_int_equal(file_begin(&writer, path("a")), SWWAE_E_IO);
    message_names("a");
    file_abandon(&writer);
    assert_int_equal(entries(), before);
    assert_int_equal(rmdir(temporary_of("a")), 0);
    must_hold("a", "old");
    assert_int_equal(file_write(path("no-folder/a"), "x", 1), SWWAE_E_IO);
    message_names("no-folder/a");
}

/* A temporary left by a killed process of the same number, here a link to someone's file. */
static void left_over_is_removed(void **state) {
    (void)state;
    assert_int_equal(file_write(path("victim"), "precious", 8), SWWAE_OK);
    assert_int_equal(symlink("victim", temporary_of("a")), 0);
    assert_int_equal(file_write(path("a"), "new", 3), SWWAE_OK);
    must_hold("a", "new");
    must_hold("victim", "precious");
}

/* The disk is full: a limit on file sizes stands in for it. */
static void failed_write_keeps_the_old_file(void **state) {
    (void)state;
    static char big[1 << 20];
    struct file_writer writer;
    struct rlimit limit, small;
    assert_int_equal(file_write(path("a"), "old", 3), SWWAE_OK);
    int before = entries();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    /* Fails in a put, and a commit in spite of it does too. */
    swwae_status begun = file_begin(&writer, path("a"));
    swwae_status put = file_put(&writer, big, sizeof big);
    swwae_status committed = file_commit(&writer);
    file_abandon(&writer);
    /* A part still fits. */
    swwae_status whole = file_write(path("a"), big, 1500);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(begun, SWWAE_OK);
    assert_int_equal(put, SWWAE_E_IO);
    assert_int_equal(committed, SWWAE_E_IO);
    assert_int_equal(whole, SWWAE_E_IO);
    message_names("a");
    must_hold("a", "old");
    assert_int_equal(entries(), before);
}

/* The file before the last is kept under its own name. */
static void previous_is_kept(void **state) {
    (void)state;
    static const char *const contents[] = {"first", "second", "third"};
    struct file_writer writer;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(file_begin(&writer, path("ring")), SWWAE_OK);
        char previous[512];
        snprintf(previous, sizeof previous, "%s", path("ring-previous"));
        writer.previous = previous;
        assert_int_equal(file_put(&writer, contents[i], strlen(contents[i])), SWWAE_OK);
        assert_int_equal(file_commit(&writer), SWWAE_OK);
        must_hold("ring", contents[i]);
        if (i) must_hold("ring-previous", contents[i - 1]);
    }
}

static void failed_rename_leaves_no_temporary(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_begin(&writer, path("late")), SWWAE_OK);
    assert_int_equal(file_put(&writer, "x", 1), SWWAE_OK);
    assert_int_equal(mkdir(path("late"), 0700), 0);
    int before = entries();
    assert_int_equal(file_commit(&writer), SWWAE_E_IO);
    message_names("late");
    assert_int_equal(entries(), before - 1);
}

static void folders_are_made(void **state) {
    (void)state;
    struct stat about;
    assert_int_equal(file_make_folder(path("p//q/r/")), SWWAE_OK);
    assert_int_equal(stat(path("p/q/r"), &about), 0);
    assert_true(S_ISDIR(about.st_mode));
    assert_int_equal(file_make_folder(path("p/q/r")), SWWAE_OK); /* again */
    assert_int_equal(file_make_folder("/"), SWWAE_OK);
    assert_int_equal(file_make_folder("."), SWWAE_OK);
    assert_int_equal(file_make_folder(""), SWWAE_E_IO);
    assert_int_equal(file_write(path("a"), "x", 1), SWWAE_OK);
    assert_int_equal(file_make_folder(path("a")), SWWAE_E_IO);
    message_names("a");
    assert_int_equal(file_make_folder(path("a/b")), SWWAE_E_IO);
    assert_int_equal(rmdir(path("p/q/r")) | rmdir(path("p/q")) | rmdir(path("p")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_then_read),
        cmocka_unit_test(write_to_the_present_folder),
        cmocka_unit_test(reading_is_bounded),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(only_regular_files_are_replaced),
        cmocka_unit_test(abandoned_writer_changes_nothing),
        cmocka_unit_test(failed_begin_changes_nothing),
        cmocka_unit_test(left_over_is_removed),
        cmocka_unit_test(failed_write_keeps_the_old_file),
        cmocka_unit_test(previous_is_kept),
        cmocka_unit_test(failed_rename_leaves_no_temporary),
        cmocka_unit_test(folders_are_made),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
