/* disk_faults.c - preloaded into the command: a disk that is full, or whose power goes.
 *
 * FAULT_AT=n counts the calls of write, fsync and rename on files whose name holds FAULT_IN.
 * FAULT=full: from the n-th on, writes fail with ENOSPC.
 * FAULT=power: at the n-th the process is gone, and with it half of what was written to each file
 * since its last fsync. FAULT=power-undo: also every rename since the last fsync of a folder. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 64
#define NAME 512

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct unsynced {
    struct stat about;
    int fd; /* a duplicate */
    off_t synced;
    int used;
} files[MOST];
static struct renamed {
    char from[NAME], to[NAME], kept[NAME + 8]; /* kept: a link to what `to` was, or "" */
} renames[MOST];
static int rename_count;
static long calls;

static int is(const char *kind) {
    const char *fault = getenv("FAULT");
    return fault && !strncmp(fault, kind, strlen(kind));
}

/* Whether this call is the one, or for a full disk after it. */
static int now(void) {
    const char *at = getenv("FAULT_AT");
    return at && ++calls >= atol(at);
}

static int concerns(int fd) {
    char link[64], path[NAME] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    const char *in = getenv("FAULT_IN");
    return length > 0 && in && strstr(path, in);
}

static struct unsynced *find(int fd) {
    struct stat about;
    struct unsynced *room = NULL;
    if (fstat(fd, &about)) return NULL;
    for (int i = 0; i < MOST; i++) {
        struct unsynced *file = &files[i];
        if (!file->used && !room) room = file;
        if (file->used && file->about.st_ino == about.st_ino && file->about.st_dev == about.st_dev)
            return file;
    }
    if (!room) abort();
    *room = (struct unsynced){.about = about, .fd = dup(fd), .synced = about.st_size, .used = 1};
    return room;
}

static void forget_renames(void) {
    for (int i = 0; i < rename_count; i++)
        if (*renames[i].kept) unlink(renames[i].kept);
    rename_count = 0;
}

static void lose_power(int (*rename_file)(const char *, const char *)) {
    struct stat about;
    for (int i = 0; i < MOST; i++) {
        struct unsynced *file = &files[i];
        if (!file->used || fstat(file->fd, &about) || about.st_size <= file->synced) continue;
        if (ftruncate(file->fd, file->synced + (about.st_size - file->synced) / 2)) abort();
    }
    if (is("power-undo"))
        while (rename_count--) {
            struct renamed *done = &renames[rename_count];
            if (rename_file(done->to, done->from)) abort();
            if (*done->kept && rename_file(done->kept, done->to)) abort();
        }
    else
        forget_renames();
    kill(getpid(), SIGKILL);
}

#define REAL(pointer, name) (*(void **)&(pointer) = dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    REAL(real, write);
    if (!concerns(fd)) return real(fd, data, size);
    pthread_mutex_lock(&mutex);
    int fault = now();
    if (fault && is("power")) {
        int (*rename_file)(const char *, const char *);
        REAL(rename_file, rename);
        find(fd);
        if (real(fd, data, size) < 0) abort();
        lose_power(rename_file);
    }
    find(fd);
    ssize_t put = -1;
    if (fault) {
        errno = ENOSPC;
    } else {
        put = real(fd, data, size);
    }
    int reason = errno;
    pthread_mutex_unlock(&mutex);
    errno = reason;
    return put;
}

int fsync(int fd) {
    static int (*real)(int);
    struct stat about;
    REAL(real, fsync);
    if (!concerns(fd)) return real(fd);
    pthread_mutex_lock(&mutex);
    if (now() && is("power")) {
        int (*rename_file)(const char *, const char *);
        REAL(rename_file, rename);
        lose_power(rename_file);
    }
    if (!fstat(fd, &about) && S_ISDIR(about.st_mode)) {
        forget_renames();
    } else {
        struct unsynced *file = find(fd);
        close(file->fd);
        file->used = 0;
    }
    pthread_mutex_unlock(&mutex);
    return 0;
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    const char *in = getenv("FAULT_IN");
    REAL(real, rename);
    if (!in || !strstr(to, in)) return real(from, to);
    pthread_mutex_lock(&mutex);
    struct renamed *done = &renames[rename_count];
    if (rename_count == MOST) abort();
    snprintf(done->from, sizeof done->from, "%s", from);
    snprintf(done->to, sizeof done->to, "%s", to);
    snprintf(done->kept, sizeof done->kept, "%s.kept%d", to, rename_count);
    if (link(to, done->kept)) *done->kept = 0;
    int result = real(from, to), reason = errno;
    if (result) {
        if (*done->kept) unlink(done->kept);
    } else {
        rename_count++;
    }
    if (now() && is("power")) lose_power(real);
    pthread_mutex_unlock(&mutex);
    errno = reason;
    return result;
}
