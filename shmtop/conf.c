#include "shmtop/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

enum { LINE = 256 };

char *conf_path(char *buf, size_t room)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		snprintf(buf, room, "%s/shmscope/shmtop.conf", config);
	else if (home && *home == '/')
		snprintf(buf, room, "%s/.config/shmscope/shmtop.conf", home);
	else
		return NULL;
	return buf;
}

static bool set_flag(bool *flag, const char *value)
{
	*flag = strcmp(value, "on") == 0;
	return *flag || strcmp(value, "off") == 0;
}

static bool set_one(struct conf *conf, const char *name, const char *value)
{
	const int scheme = scheme_find(value);

	if (strcmp(name, "colors") == 0 && scheme >= 0) {
		conf->scheme = (enum scheme)scheme;
		return true;
	}
	if (strcmp(name, "ascii") == 0)
		return set_flag(&conf->ascii, value);
	return strcmp(name, "mouse") == 0 && set_flag(&conf->mouse, value);
}

/* "name = value" in place; false: neither that nor blank. */
static bool split(char *line, char **name, char **value)
{
	static const char blank[] = " \t\r\n";

	line[strcspn(line, "#\n")] = '\0';
	*name = strtok_r(line, " \t\r\n=", &line);
	if (!*name)
		return true;
	*value = strtok_r(NULL, " \t\r\n=", &line);
	return *value && !line[strspn(line, blank)];
}

int conf_read(struct conf *conf, const char *path, struct err *err)
{
	FCLOSES FILE *in = fopen(path, "re");
	char line[LINE], *name, *value;

	if (!in)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: cannot be read (%m)", path);
	for (unsigned n = 1; fgets(line, sizeof(line), in); n++) {
		if (!split(line, &name, &value) || (name && !set_one(conf, name, value))) {
			err_set(err, -EINVAL, "%s: line %u: not a setting of shmtop", path, n);
			err_next(err, "settings: colors = default|bright|light|mono, "
				      "ascii = on|off, mouse = on|off");
			return -EINVAL;
		}
	}
	return 0;
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
