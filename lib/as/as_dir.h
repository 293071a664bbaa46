/*
 * as_dir - the names in a directory, through a small buffer.
 *
 *	if (as_dir_open(&d, dirfd, path)) ...
 *	while ((name = as_dir_next(&d))) ...
 *	as_dir_close(&d);
 *
 * Safety, for every function here: AS-safe, one-owner; may block as open(2) and getdents64(2) do.
 */
#ifndef SHMSCOPE_AS_DIR_H
#define SHMSCOPE_AS_DIR_H

#include <stdint.h>

struct as_dir {
	int fd;
	int at, n; /* of buf: what was not handed out yet */
	int error; /* negative errno that ended it too early; 0 */
	_Alignas(8) char buf[2048];
};

/* as_dir_open - dirfd and path as openat(2). Returns 0 or a negative errno. */
int as_dir_open(struct as_dir *d, int dirfd, const char *path);
/* as_dir_next - the next name; NULL at the end. Valid until the next call. */
const char *as_dir_next(struct as_dir *d);
void as_dir_close(struct as_dir *d);

/* as_dir_number - of a name that is a number below 2^31; -1 else. Safety: AS-safe, MT-safe. */
int32_t as_dir_number(const char *name);

#endif
