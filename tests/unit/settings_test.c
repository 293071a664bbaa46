#include "lib/base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/t.h"

static char seen[400];

static int see(void *arg, const char *name, const char *value, struct err *err)
{
	(void)arg;
	if (strcmp(name, "bad") == 0) {
		err_set(err, -EINVAL, "%s: no", value);
		return err_next(err, "say yes");
	}
	if (strcmp(name, "strange") == 0)
		return -EINVAL;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "[%s|%s]", name, value);
	return 0;
}

static int read_text(const char *text, struct err *err)
{
	char path[] = "/tmp/settings.XXXXXX";
	const int fd = mkstemp(path);

	T_OK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	seen[0] = '\0';
	const int code = settings_read(path, see, NULL, err);
	unlink(path);
	return code;
}

TEST(lines_are_names_and_values_and_comments)
{
	T_EQ(read_text("# all of it\n\n feed = /srv/my feeds  # here\nsignal=RTMIN+3\r\n\t\nlast = 1", NULL), 0);
	T_STR(seen, "[feed|/srv/my feeds][signal|RTMIN+3][last|1]");
}

TEST(a_wrong_line_is_named_and_those_before_it_count)
{
	struct err err;

	T_EQ(read_text("a = 1\nbad = x\nb = 2\n", &err), -EINVAL);
	T_STR(seen, "[a|1]");
	T_HAS(err.text, ": line 2: x: no");
	T_STR(err.next, "say yes");
	T_EQ(read_text("strange = 1\n", &err), -EINVAL);
	T_HAS(err.text, ": line 1: not a setting");
	T_EQ(read_text("a = 1\nnothing\n", &err), -EINVAL);
	T_HAS(err.text, ": line 2: not \"name = value\"");
	T_EQ(read_text("a =\n", &err), -EINVAL);
	T_EQ(settings_read("/nonexistent/x.conf", see, NULL, &err), 0);
}

TEST(they_lie_below_the_configuration_directory)
{
	char path[100];

	setenv("HOME", "/home/x", 1);
	setenv("XDG_CONFIG_HOME", "/etc/x", 1);
	T_STR(settings_path(path, sizeof(path), "t.conf"), "/etc/x/shmscope/t.conf");
	unsetenv("XDG_CONFIG_HOME");
	T_STR(settings_path(path, sizeof(path), "t.conf"), "/home/x/.config/shmscope/t.conf");
	unsetenv("HOME");
	T_OK(!settings_path(path, sizeof(path), "t.conf"));
}
