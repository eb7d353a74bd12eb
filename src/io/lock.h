/* lock.h - one process at a time: a lock file that no crash leaves locked. */
#ifndef SWWAE_IO_LOCK_H
#define SWWAE_IO_LOCK_H

#include "base/status.h"

/* flock on an open file: the kernel releases it with the last descriptor, however the process ends,
 * so the file that stays behind locks nothing. It says who holds it ("process 71 on HOST"). */
struct lock {
    int fd;
    bool held;
};

/* SWWAE_E_IO when another process, or this one, holds the lock already; the sentence begins with
 * `what` and names the holder. A file system without locks: SWWAE_OK and lock->held false. */
swwae_status lock_take(struct lock *lock, const char *path, const char *what);
/* Accepts a zeroed struct. */
void lock_release(struct lock *lock);

#endif
