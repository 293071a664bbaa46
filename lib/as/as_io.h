/*
 * as_io - whole reads and writes, with raw system calls.
 */
#ifndef SHMSCOPE_AS_IO_H
#define SHMSCOPE_AS_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * as_io_write - write all of buf, through short writes and EINTR.
 *
 * done  set to the bytes that were written, also on failure.
 * Returns 0 or a negative errno. -EAGAIN of a non-blocking fd is a failure: waiting for a
 * reader of our output is nothing that the dumper of a hung process may do.
 * Safety: AS-safe, MT-safe; may block as write(2) does on that fd.
 */
int as_io_write(int fd, const void *buf, size_t n, size_t *done);

/*
 * as_io_read - read until the buffer is full or the file ends, through short reads and EINTR.
 * Returns the bytes read, or a negative errno when nothing could be read.
 * Safety: AS-safe, MT-safe; may block as read(2) does on that fd.
 */
ssize_t as_io_read(int fd, void *buf, size_t n);

/*
 * as_io_read_file - read the start of a (small) file into buf and terminate it by a NUL byte.
 *
 * dirfd, path  as openat(2).  room  bytes of buf, at least 1; longer files are cut.
 * Returns the bytes read without the NUL, or a negative errno (buf is then "").
 * Safety: AS-safe, MT-safe; may block as open(2) and read(2) do.
 */
ssize_t as_io_read_file(int dirfd, const char *path, char *buf, size_t room);

/*
 * as_io_pread - exactly n bytes from offset `at` of a file.
 * Returns 0; -ENODATA when the file ends before; or a negative errno.
 * Safety: AS-safe, MT-safe; may block as pread(2) does.
 */
int as_io_pread(int fd, void *buf, size_t n, uint64_t at);

#endif
