#include "lib/base/library.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libsigdump.so"

static bool is_there(char *path, size_t room, const char *dir, const char *below)
{
	const int n = snprintf(path, room, "%s%s/" LIBRARY, dir, below);

	return n > 0 && (size_t)n < room && access(path, R_OK) == 0;
}

bool library_own_directory(char *dir, size_t room)
{
	const ssize_t n = readlink("/proc/self/exe", dir, room - 1);

	if (n <= 0)
		return false;
	dir[n] = '\0';
	char *slash = strrchr(dir, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static bool is_beside(char *path, size_t room)
{
	char dir[PATH_MAX], real[PATH_MAX];

	if (!library_own_directory(dir, sizeof(dir)) ||
	    (!is_there(path, room, dir, "/../lib") &&
	     !is_there(path, room, dir, "/../lib/x86_64-linux-gnu")))
		return false;
	/* without the "..": it ends up in the environment of other programs */
	if (realpath(path, real) && strlen(real) < room)
		strcpy(path, real);
	return true;
}

static int fits_preload(const char *path, struct err *err)
{
	if (!strpbrk(path, ": "))
		return 0;
	err_set(err, -EINVAL, "%s: LD_PRELOAD cannot hold a path with a blank or a colon", path);
	return err_next(err, "copy it elsewhere and name that in SHMSCOPE_LIB");
}

static int said_by_user(const char *said, char *path, size_t room, struct err *err)
{
	char real[PATH_MAX];
	const char *file = is_there(path, room, said, "") ? path : said;

	if (!realpath(file, real) || access(real, R_OK) != 0) {
		err_set(err, -ENOENT, "%s: cannot be read (%m)", said);
		return err_next(err, "SHMSCOPE_LIB names " LIBRARY " or its directory");
	}
	if (strlen(real) >= room)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", real);
	strcpy(path, real);
	return fits_preload(path, err);
}

int library_find(char *path, size_t room, struct err *err)
{
	static const char *const installed[] = { "/usr/local/lib/x86_64-linux-gnu", "/usr/local/lib",
						 "/usr/lib/x86_64-linux-gnu", "/usr/lib" };
	const char *said = getenv("SHMSCOPE_LIB");

	if (said && *said)
		return said_by_user(said, path, room, err);
	if (is_beside(path, room))
		return fits_preload(path, err);
	for (unsigned i = 0; i < sizeof(installed) / sizeof(*installed); i++)
		if (is_there(path, room, installed[i], ""))
			return 0;
	err_set(err, -ENOENT, LIBRARY ": not found (neither beside this program nor installed)");
	return err_next(err, "set SHMSCOPE_LIB to its path");
}
