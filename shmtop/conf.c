#include "shmtop/conf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/settings.h"

char *conf_path(char *buf, size_t room)
{
	return settings_path(buf, room, "shmtop.conf");
}

static bool set_flag(bool *flag, const char *value)
{
	*flag = strcmp(value, "on") == 0;
	return *flag || strcmp(value, "off") == 0;
}

static int set_one(void *arg, const char *name, const char *value, struct err *err)
{
	struct conf *conf = arg;
	const int scheme = scheme_find(value);

	if (strcmp(name, "colors") == 0 && scheme >= 0) {
		conf->scheme = (enum scheme)scheme;
		return 0;
	}
	if (strcmp(name, "ascii") == 0 && set_flag(&conf->ascii, value))
		return 0;
	if (strcmp(name, "mouse") == 0 && set_flag(&conf->mouse, value))
		return 0;
	err_set(err, -EINVAL, "not a setting of shmtop");
	return err_next(err, "settings: colors = default|bright|light|mono, ascii = on|off, "
			     "mouse = on|off");
}

int conf_read(struct conf *conf, const char *path, struct err *err)
{
	return settings_read(path, set_one, conf, err);
}

/* The directories above a file. */
static void make_directories(const char *path)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	for (char *p = dir + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(dir, 0700);
		*p = '/';
	}
}

int conf_write(const struct conf *conf, const char *path, struct err *err)
{
	char temporary[PATH_MAX];

	make_directories(path);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *out = fopen(temporary, "we");
	if (!out)
		return err_set(err, -errno, "%s: cannot be written (%m)", path);
	fprintf(out, "# written by shmtop (W in its help screen)\n"
		     "colors = %s\nascii = %s\nmouse = %s\n",
		scheme_name(conf->scheme), conf->ascii ? "on" : "off", conf->mouse ? "on" : "off");
	const bool failed = ferror(out) | (fclose(out) != 0);
	if (failed || rename(temporary, path)) {
		err_set(err, -errno, "%s: cannot be written (%m)", path);
		unlink(temporary);
		return -EIO;
	}
	return 0;
}
