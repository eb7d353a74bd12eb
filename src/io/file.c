/* file.c - whole files, read with a bound and replaced atomically; see file.h.
 *
 * A run writes the same names again and again (checkpoint, best model, metrics) and may be killed
 * at any moment, so a file is written beside its final name, forced to disk and renamed: POSIX
 * makes the rename atomic. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reports errno; the path is bounded so that the reason is never cut off. */
static swwae_status failure(const char *path, const char *what) {
    return status_set(SWWAE_E_IO, "%.400s: cannot %s (%s)", path, what, strerror(errno));
}

static swwae_status read_all(int fd, const char *path, size_t limit, char **data, size_t *size) {
    swwae_status status = SWWAE_OK;
    char *bytes = NULL;
    size_t total = 0, used = 0;
    struct stat about;
    if (fstat(fd, &about)) return failure(path, "be read");
    CHECK(S_ISREG(about.st_mode), SWWAE_E_IO,
          "%.400s: is not a regular file; give the name of a file on disk", path);
    CHECK((uintmax_t)about.st_size <= limit && (uintmax_t)about.st_size < SIZE_MAX, SWWAE_E_FORMAT,
          "%.400s: has %jd bytes, more than the %zu allowed for this kind of file", path,
          (intmax_t)about.st_size, limit);
    total = (size_t)about.st_size;
    bytes = malloc(total + 1);
    CHECK(bytes, SWWAE_E_MEMORY, "%.400s: no memory for its %zu bytes", path, total);
    while (used < total) {
        ssize_t got = read(fd, bytes + used, total - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            status = failure(path, "be read");
            goto fail;
        }
        CHECK(got > 0, SWWAE_E_IO, "%.400s: became shorter while it was read; read it again", path);
        used += (size_t)got;
    }
    bytes[total] = 0;
    *data = bytes;
    *size = total;
    return SWWAE_OK;
fail:
    free(bytes);
    return status;
}

swwae_status file_read(const char *path, size_t limit, char **data, size_t *size) {
    /* O_NONBLOCK: a FIFO is to be refused, not to be waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return failure(path, "be opened");
    swwae_status status = read_all(fd, path, limit, data, size);
    close(fd);
    return status;
}

/* Opens the temporary. A left-over of a killed process with our pid is removed first, and O_EXCL
 * makes sure that we never write through somebody else's link. */
static int open_temporary(const char *temporary) {
    unlink(temporary);
    return open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

swwae_status file_begin(struct file_writer *writer, const char *path) {
    swwae_status status = SWWAE_OK;
    struct stat about;
    *writer = (struct file_writer){0};
    CHECK(*path, SWWAE_E_IO, "the name of a file to write is empty");
    CHECK(lstat(path, &about) || S_ISREG(about.st_mode), SWWAE_E_IO,
          "%.400s: is there and not a regular file, so it is not replaced; name another file",
          path);
    size_t room = strlen(path) + 32;
    writer->path = strdup(path);
    char *temporary = malloc(room);
    if (temporary) snprintf(temporary, room, "%s.tmp.%ld", path, (long)getpid());
    if (writer->path && temporary) {
        writer->fd = open_temporary(temporary);
        writer->open = writer->fd >= 0;
        if (writer->open) {
            writer->temporary = temporary;
            return SWWAE_OK;
        }
        status = errno == ENOENT
                     ? status_set(SWWAE_E_IO,
                                  "%.400s: cannot be written, because its folder does not exist; "
                                  "make it first, or name another place",
                                  path)
                     : failure(path, "be written");
    } else {
        status = status_set(SWWAE_E_MEMORY, "%.400s: no memory to write it", path);
    }
    free(temporary); /* not ours on disk: file_abandon must not remove it */
fail:
    file_abandon(writer);
    return status;
}

/* write, not stdio: a failure is that of this call, and tests can let each one fail. */
swwae_status file_put(struct file_writer *writer, const void *data, size_t size) {
    const char *from = data;
    while (size) {
        ssize_t put = write(writer->fd, from, size);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            writer->failed = true;
            return failure(writer->path, "be written");
        }
        from += put;
        size -= (size_t)put;
    }
    return SWWAE_OK;
}

/* A folder that may not be opened or a file system without folder fsync (EINVAL) offers no such
 * promise and is no failure; a disk error is one. */
swwae_status file_sync_entry(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : slash ? (size_t)(slash - path) : 1;
    char *folder = strndup(slash ? path : ".", length);
    if (!folder) return status_set(SWWAE_E_MEMORY, "%.400s: no memory to force it to disk", path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0) return SWWAE_OK;
    swwae_status status =
        !fsync(fd) || errno == EINVAL ? SWWAE_OK : failure(path, "be forced to disk");
    close(fd);
    return status;
}

/* Closes the temporary, and puts it in its place. */
static bool replace(struct file_writer *writer) {
    bool good = !fsync(writer->fd);
    int reason = errno;
    writer->open = false;
    if (close(writer->fd) && good) return false;
    errno = reason;
    if (!good) return false;
    /* A crash from here on leaves the new content under one of the three names, and the old one
     * under another. */
    if (writer->previous && rename(writer->path, writer->previous) && errno != ENOENT) return false;
    return !rename(writer->temporary, writer->path);
}

swwae_status file_commit(struct file_writer *writer) {
    swwae_status status = SWWAE_OK;
    CHECK(writer->open && !writer->failed, SWWAE_E_IO,
          "%.400s: an earlier write failed; it was not replaced", writer->path);
    if (!replace(writer)) {
        status = failure(writer->path, "be written");
        goto fail;
    }
    free(writer->temporary); /* renamed: nothing to remove */
    writer->temporary = NULL;
    status = file_sync_entry(writer->path);
fail:
    file_abandon(writer);
    return status;
}

void file_abandon(struct file_writer *writer) {
    if (!writer) return;
    if (writer->open) close(writer->fd);
    if (writer->temporary) unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    *writer = (struct file_writer){0};
}

swwae_status file_write(const char *path, const void *data, size_t size) {
    swwae_status status = SWWAE_OK;
    struct file_writer writer;
    TRY(file_begin(&writer, path));
    TRY(file_put(&writer, data, size));
    TRY(file_commit(&writer));
fail:
    file_abandon(&writer);
    return status;
}

swwae_status file_make_folder(const char *path) {
    swwae_status status = SWWAE_OK;
    struct stat about;
    char *part = strdup(path);
    CHECK(part, SWWAE_E_MEMORY, "%.400s: no memory to make this folder", path);
    for (size_t end = 0, length = strlen(path); end <= length; end++) {
        if (end < length && (end == 0 || path[end] != '/')) continue;
        part[end] = 0;
        if (!mkdir(part, 0777)) {
            TRY(file_sync_entry(part));
        } else {
            /* Existing parents may answer EROFS or EACCES instead of EEXIST: look. */
            int reason = errno;
            bool folder = !stat(part, &about) && S_ISDIR(about.st_mode);
            errno = reason;
            if (!folder) {
                status = failure(part, "be made a folder");
                goto fail;
            }
        }
        part[end] = path[end];
    }
fail:
    free(part);
    return status;
}
