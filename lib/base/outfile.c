#include "lib/base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int outfile_open(struct outfile *out, const char *path, bool force, struct err *err)
{
	*out = (struct outfile){ .stream = stdout };
	if (!path || strcmp(path, "-") == 0)
		return 0;
	if (!force && access(path, F_OK) == 0) {
		err_set(err, -EEXIST, "%s: exists", path);
		err_next(err, "--force writes over it");
		return -EEXIST;
	}
	const int n = snprintf(out->temporary, sizeof(out->temporary), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(out->temporary))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	const int fd = mkostemp(out->temporary, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be written (%m)", path);
	out->stream = fdopen(fd, "w");
	if (!out->stream) {
		close(fd);
		unlink(out->temporary);
		return err_set(err, -ENOMEM, "%s: no memory", path);
	}
	out->path = path;
	return 0;
}

int outfile_close(struct outfile *out, bool keep, struct err *err)
{
	const bool failed = fflush(out->stream) || ferror(out->stream);
	const int why = errno;

	if (!out->path) {
		if (!failed || why == EPIPE)
			return 0;
		return err_set(err, -why, "stdout: cannot be written (%s)", strerror(why));
	}
	fclose(out->stream);
	if (keep && !failed && rename(out->temporary, out->path) == 0)
		return 0;
	const int code = failed ? why : errno;
	unlink(out->temporary);
	if (!keep)
		return 0;
	return err_set(err, -code, "%s: cannot be written (%s)", out->path, strerror(code));
}
