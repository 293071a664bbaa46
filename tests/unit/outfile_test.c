#include "lib/base/outfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/t.h"

static char dir[64], path[80];

static void in_a_directory(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/outfile.XXXXXX", base ? base : "/tmp");
	T_OK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/result", dir);
}

static int count_entries(void)
{
	DIR *d = opendir(dir);
	int n = -2; /* . and .. */

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void leave(void)
{
	unlink(path);
	T_EQ(rmdir(dir), 0);
}

static const char *content(void)
{
	static char text[64];
	FILE *in = fopen(path, "r");

	T_OK(in != NULL);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

TEST(a_file_has_its_name_only_when_it_is_complete)
{
	struct outfile out;

	in_a_directory();
	T_EQ(outfile_open(&out, path, false, NULL), 0);
	fputs("half", out.stream);
	fflush(out.stream);
	T_OK(access(path, F_OK) != 0);
	T_EQ(outfile_close(&out, true, NULL), 0);
	T_STR(content(), "half");
	T_EQ(count_entries(), 1);
	leave();
}

TEST(an_existing_file_needs_force_and_a_failed_result_leaves_it_alone)
{
	struct outfile out;
	struct err err;

	in_a_directory();
	T_EQ(outfile_open(&out, path, false, NULL), 0);
	fputs("old", out.stream);
	T_EQ(outfile_close(&out, true, NULL), 0);
	T_EQ(outfile_open(&out, path, false, &err), -EEXIST);
	T_HAS(err.text, ": exists already; not overwritten");
	T_STR(err.next, "--force, or another name");

	T_EQ(outfile_open(&out, path, true, NULL), 0);
	fputs("broken", out.stream);
	T_EQ(outfile_close(&out, false, NULL), 0);
	T_STR(content(), "old");

	T_EQ(outfile_open(&out, path, true, NULL), 0);
	fputs("new", out.stream);
	T_EQ(outfile_close(&out, true, NULL), 0);
	T_STR(content(), "new");
	T_EQ(count_entries(), 1);
	leave();
}

TEST(a_device_is_written_to_not_replaced_and_a_full_one_is_told)
{
	struct outfile out;
	struct err err;

	T_EQ(outfile_open(&out, "/dev/null", false, NULL), 0);
	fputs("much", out.stream);
	T_EQ(outfile_close(&out, true, NULL), 0);
	T_EQ(outfile_open(&out, "/dev/full", false, NULL), 0);
	fputs("much", out.stream);
	T_EQ(outfile_close(&out, true, &err), -ENOSPC);
	T_STR(err.text, "/dev/full: cannot be written (No space left on device)");
}

TEST(a_directory_that_is_not_there_is_told)
{
	struct outfile out;
	struct err err;

	T_EQ(outfile_open(&out, "/nonexistent/dir/result", false, &err), -ENOENT);
	T_STR(err.text, "/nonexistent/dir/result: cannot be written (No such file or directory)");
}
