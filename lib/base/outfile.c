#include "lib/base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_write(struct err *err, const char *path, int why)
{
	err_set(err, -why, "%s: cannot be written (%s)", path, strerror(why));
	return err_next(err, "a file in a directory with room that you may write to");
}

static int open_temporary(struct outfile *out, const char *path, struct err *err)
{
	const int n = snprintf(out->temporary, sizeof(out->temporary), "%s.XXXXXX", path);

	if (n < 0 || (size_t)n >= sizeof(out->temporary))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	const int fd = mkostemp(out->temporary, O_CLOEXEC);
	if (fd < 0)
		return cannot_write(err, path, errno);
	const mode_t mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask); /* as any file; mkostemp is stricter */
	out->stream = fdopen(fd, "w");
	if (out->stream)
		return 0;
	close(fd);
	unlink(out->temporary);
	return err_set(err, -ENOMEM, "%s: no memory", path);
}

int outfile_check(const char *path, bool force, struct err *err)
{
	struct stat st;

	/* /dev/stdout, a pipe: written to, not replaced */
	if (!path || strcmp(path, "-") == 0 || force || stat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	err_set(err, -EEXIST, "%s: exists already; not overwritten", path);
	err_next(err, "--force, or another name");
	return -EEXIST;
}

int outfile_open(struct outfile *out, const char *path, bool force, struct err *err)
{
	struct stat st;

	*out = (struct outfile){ .stream = stdout, .force = force };
	if (!path || strcmp(path, "-") == 0)
		return 0;
	if (outfile_check(path, force, err))
		return -EEXIST;
	const bool exists = stat(path, &st) == 0;
	out->path = path;
	if (!exists || S_ISREG(st.st_mode))
		return open_temporary(out, path, err);
	out->stream = fopen(path, "we");
	return out->stream ? 0 : cannot_write(err, path, errno);
}

/* A file that appeared meanwhile is not replaced either, where the filesystem can tell. */
static int give_name(const struct outfile *out)
{
	if (renameat2(AT_FDCWD, out->temporary, AT_FDCWD, out->path, out->force ? 0 : RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL ? rename(out->temporary, out->path) : -1;
}

int outfile_close(struct outfile *out, bool keep, struct err *err)
{
	const bool failed = fflush(out->stream) || ferror(out->stream);
	const int why = errno;

	if (!out->path) {
		if (!failed || why == EPIPE)
			return 0;
		return cannot_write(err, "stdout", why);
	}
	fclose(out->stream);
	const bool direct = !out->temporary[0];
	if (keep && !failed && (direct || give_name(out) == 0))
		return 0;
	const int code = failed ? why : errno;
	if (!direct)
		unlink(out->temporary);
	if (!keep)
		return 0;
	return cannot_write(err, out->path, code);
}

void outfile_std_begin(void)
{
	/* the other way round, so that using it fails as it does when it is closed */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", (fd ? O_RDONLY : O_WRONLY) | O_CLOEXEC) != fd)
			break;
}

int outfile_std_end(const char *tool, int status)
{
	struct err err;

	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE || status)
		return status;
	cannot_write(&err, "stdout", errno ? errno : EIO);
	err_print(stderr, tool, "error", &err);
	return 3;
}
