#include "lib/as/as_dir.h"

#include <fcntl.h>
#include <string.h>

#include "lib/as/as_scan.h"
#include "lib/as/as_sys.h"

struct entry { /* struct linux_dirent64 of getdents64(2) */
	uint64_t ino;
	int64_t off;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

int as_dir_open(struct as_dir *d, int dirfd, const char *path)
{
	d->at = d->n = d->error = 0;
	d->fd = as_sys_openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return d->fd < 0 ? d->fd : 0;
}

const char *as_dir_next(struct as_dir *d)
{
	if (d->at >= d->n) {
		d->at = 0;
		d->n = as_sys_getdents64(d->fd, d->buf, sizeof(d->buf));
		if (d->n <= 0) {
			d->error = d->n;
			return NULL;
		}
	}
	const struct entry *e = (const void *)(d->buf + d->at);

	d->at += e->bytes;
	return e->name;
}

void as_dir_close(struct as_dir *d)
{
	as_sys_close(d->fd);
}

int32_t as_dir_number(const char *name)
{
	struct as_scan s = as_scan_text(name, strlen(name));
	uint64_t v;

	return as_scan_u64(&s, &v) && s.at == s.end && v <= INT32_MAX ? (int32_t)v : -1;
}
