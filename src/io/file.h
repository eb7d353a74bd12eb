/* file.h - whole files: read with a bound, written beside, fsynced, renamed. */
#ifndef SWWAE_IO_FILE_H
#define SWWAE_IO_FILE_H

#include "base/status.h"

/* Reads a whole file into malloc'ed memory with a terminating zero byte that is not counted.
 * Larger than limit: SWWAE_E_FORMAT. Missing, unreadable or not a regular file: SWWAE_E_IO. */
swwae_status file_read(const char *path, size_t limit, char **data, size_t *size);

/* A file being written: bytes go to "<path>.tmp.<pid>" in the same folder; file_commit
 * fsyncs, renames over path and fsyncs the folder; file_abandon removes the temporary (accepts
 * NULL, safe after a failed begin and after commit). path holds its previous content up to the
 * rename and the whole new content after it, never a part. It must be a regular file or not exist:
 * a rename over a device or a link would destroy it (SWWAE_E_IO). Two writers of one path in one
 * process use the same temporary: not allowed. Failures are SWWAE_E_IO or SWWAE_E_MEMORY. */
struct file_writer {
    char *path, *temporary;
    const char *previous; /* NULL, or set before the commit: where it renames the present file to */
    int fd;
    bool open, failed;
};
swwae_status file_begin(struct file_writer *writer, const char *path);
/* data may be NULL when size is 0. */
swwae_status file_put(struct file_writer *writer, const void *data, size_t size);
/* Fails if an earlier file_put did. The writer is released either way. */
swwae_status file_commit(struct file_writer *writer);
void file_abandon(struct file_writer *writer);

/* One call for small files. */
swwae_status file_write(const char *path, const void *data, size_t size);

/* Makes a folder and its missing parents, durably; fine if it is there. SWWAE_E_IO. */
swwae_status file_make_folder(const char *path);

/* Forces to disk that path is there (or is not): an fsync of the folder that holds it. SWWAE_E_IO.
 */
swwae_status file_sync_entry(const char *path);

#endif
