/* lock.c - the lock file; see lock.h. */
#include "io/lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define HOLDER 128

/* What the holder wrote, for people; "another process" where that cannot be read. */
static void read_holder(char holder[HOLDER], int fd) {
    ssize_t size = pread(fd, holder, HOLDER - 1, 0);
    ssize_t length = 0;
    while (length < size && isprint((unsigned char)holder[length])) length++;
    holder[length] = 0;
    if (!length) snprintf(holder, HOLDER, "another process");
}

/* A lock without a name on it locks as well: failures do not count. */
static void write_holder(int fd) {
    char host[64] = "", text[HOLDER];
    if (gethostname(host, sizeof host - 1)) *host = 0;
    int size = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)size, 0) != size) return;
}

swwae_status lock_take(struct lock *lock, const char *path, const char *what) {
    char holder[HOLDER];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0)
        return status_set(SWWAE_E_IO, "%.400s: cannot be opened for locking (%s)", path,
                          strerror(errno));
    *lock = (struct lock){.fd = fd, .held = true};
    int failed;
    do failed = flock(fd, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    if (!failed) {
        write_holder(fd);
        return SWWAE_OK;
    }
    int reason = errno;
    read_holder(holder, fd);
    lock_release(lock);
    if (reason != EWOULDBLOCK) return SWWAE_OK;
    return status_set(SWWAE_E_IO,
                      "%.400s: %s is training here; wait until it ends, or stop it first", what,
                      holder);
}

void lock_release(struct lock *lock) {
    if (lock->held) close(lock->fd);
    *lock = (struct lock){0};
}
