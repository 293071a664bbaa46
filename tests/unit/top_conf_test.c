#include "shmtop/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/t.h"

static char dir[80], path[200];

static void in_a_home(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/conf.XXXXXX", base ? base : "/tmp");
	T_OK(mkdtemp(dir) != NULL);
	setenv("HOME", dir, 1);
	unsetenv("XDG_CONFIG_HOME");
	T_OK(conf_path(path, sizeof(path)) != NULL);
}

static void leave(void)
{
	char part[200];

	unlink(path);
	snprintf(part, sizeof(part), "%s/.config/shmscope", dir);
	rmdir(part);
	snprintf(part, sizeof(part), "%s/.config", dir);
	rmdir(part);
	T_EQ(rmdir(dir), 0);
}

TEST(settings_come_back_as_they_were_written)
{
	const struct conf written = { .scheme = SCHEME_LIGHT, .ascii = true, .mouse = false };
	struct conf read = { .mouse = true };
	struct err err;

	in_a_home();
	T_EQ(conf_read(&read, path, &err), 0); /* no file: nothing is set */
	T_OK(read.mouse);
	T_EQ(conf_write(&written, path, &err), 0);
	T_EQ(conf_read(&read, path, &err), 0);
	T_EQ(read.scheme, SCHEME_LIGHT);
	T_OK(read.ascii && !read.mouse);
	leave();
}

static const char *error_of(const char *text)
{
	static struct err err;
	struct conf conf = { .mouse = true };

	in_a_home();
	const struct conf any = { .mouse = true };
	T_EQ(conf_write(&any, path, NULL), 0);
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	err.code = 0;
	err.text[0] = '\0';
	conf_read(&conf, path, &err);
	leave();
	const char *colon = strstr(err.text, "shmtop.conf: ");
	return colon ? colon + strlen("shmtop.conf: ") : err.text;
}

TEST(a_line_that_is_none_of_ours_is_named)
{
	T_STR(error_of("# all is well\n\n  colors=mono   # now\n"), "");
	T_STR(error_of("colors = mono\nascii = maybe\n"), "line 2: not a setting of shmtop");
	T_STR(error_of("ascii\n"), "line 1: not \"name = value\"");
	T_STR(error_of("colors = mono bright\n"), "line 1: not a setting of shmtop");
	T_STR(error_of("colours = mono\n"), "line 1: not a setting of shmtop");
}

TEST(without_a_home_there_is_no_path)
{
	unsetenv("HOME");
	unsetenv("XDG_CONFIG_HOME");
	T_OK(conf_path(path, sizeof(path)) == NULL);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	T_OK(conf_path(path, sizeof(path)) == NULL);
	setenv("XDG_CONFIG_HOME", "/etc/x", 1);
	T_STR(conf_path(path, sizeof(path)), "/etc/x/shmscope/shmtop.conf");
}
