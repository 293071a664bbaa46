#include "lib/base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

enum { LINE = 4352 }; /* a path and its name */

char *settings_path(char *buf, size_t room, const char *file)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		snprintf(buf, room, "%s/shmscope/%s", config, file);
	else if (home && *home == '/')
		snprintf(buf, room, "%s/.config/shmscope/%s", home, file);
	else
		return NULL;
	return buf;
}

/* Without the blanks around it, in place. */
static char *trim(char *text)
{
	static const char blank[] = " \t\r\n";

	text += strspn(text, blank);
	for (size_t n = strlen(text); n && strchr(blank, text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

/* "name = value", in place. */
static int take_line(char *line, int (*set)(void *arg, const char *name, const char *value,
					    struct err *err), void *arg, struct err *err)
{
	line[strcspn(line, "#")] = '\0';
	char *name = trim(line), *equals = strchr(name, '=');

	if (!*name)
		return 0;
	if (!equals || !*trim(equals + 1))
		return err_set(err, -EINVAL, "not \"name = value\"");
	*equals = '\0';
	return set(arg, trim(name), trim(equals + 1), err);
}

int settings_read(const char *path,
		  int (*set)(void *arg, const char *name, const char *value, struct err *err),
		  void *arg, struct err *err)
{
	FCLOSES FILE *in = fopen(path, "re");
	char line[LINE];

	if (!in)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_set(err, -errno, "%s: cannot be read (%m)", path);
	for (unsigned n = 1; fgets(line, sizeof(line), in); n++) {
		struct err why = { .text = "" };
		const int code = take_line(line, set, arg, &why);

		if (!code)
			continue;
		err_set(err, code, "%s: line %u: %s", path, n, why.text[0] ? why.text : "not a setting");
		if (why.next[0])
			err_next(err, "%s", why.next);
		return code;
	}
	return 0;
}
