/* file.c - whole files, read with a bound and replaced atomically; see file.h.
 *
 * A run writes the same names again and again (checkpoint, best model, metrics) and may be killed
 * at any moment, so a file is written beside its final name, forced to disk and renamed: POSIX
 * makes the rename atomic. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
static FILE *open_temporary(const char *temporary) {
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return NULL;
    FILE *stream = fdopen(fd, "wb");
    if (!stream) {
        int reason = errno;
        close(fd);
        unlink(temporary);
        errno = reason;
    }
    return stream;
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
        writer->stream = open_temporary(temporary);
        if (writer->stream) {
            writer->temporary = temporary;
            return SWWAE_OK;
        }
        status = failure(path, "be written");
    } else {
        status = status_set(SWWAE_E_MEMORY, "%.400s: no memory to write it", path);
    }
    free(temporary); /* not ours on disk: file_abandon must not remove it */
fail:
    file_abandon(writer);
    return status;
}

swwae_status file_put(struct file_writer *writer, const void *data, size_t size) {
    if (size && fwrite(data, 1, size, writer->stream) != size)
        return failure(writer->path, "be written");
    return SWWAE_OK;
}

/* Makes the rename itself durable. A folder that may not be opened or a file system without
 * folder fsync (EINVAL) offers no such promise and is no failure; a disk error is one. */
static bool sync_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = 0;
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return true;
    bool good = !fsync(fd) || errno == EINVAL;
    int reason = errno;
    close(fd);
    errno = reason;
    return good;
}

swwae_status file_commit(struct file_writer *writer) {
    swwae_status status = SWWAE_OK;
    FILE *stream = writer->stream;
    /* After a failed fwrite a later flush can succeed on what is left: ask the stream. */
    CHECK(stream && !ferror(stream), SWWAE_E_IO,
          "%.400s: an earlier write failed; it was not replaced", writer->path);
    bool good = !fflush(stream) && !fsync(fileno(stream));
    if (good) {
        writer->stream = NULL;
        good = !fclose(stream);
    }
    if (!good || rename(writer->temporary, writer->path)) {
        status = failure(writer->path, "be written");
        goto fail;
    }
    if (!sync_folder(writer->temporary)) status = failure(writer->path, "be forced to disk");
    free(writer->temporary); /* renamed: nothing to remove */
    writer->temporary = NULL;
fail:
    file_abandon(writer);
    return status;
}

void file_abandon(struct file_writer *writer) {
    if (!writer) return;
    if (writer->stream) fclose(writer->stream);
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
        if (mkdir(part, 0777)) {
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
