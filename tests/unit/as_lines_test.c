#include "lib/as/as_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/t.h"

static struct as_lines lines;

static void begin(const char *text, size_t limit)
{
	const int fd = memfd_create("lines", 0);
	char path[64];

	T_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	T_EQ(as_lines_open(&lines, AT_FDCWD, path, limit), 0);
}

static const char *next(void)
{
	static char text[8192];
	struct as_scan line;

	if (!as_lines_next(&lines, &line))
		return "end";
	snprintf(text, sizeof(text), "%.*s", (int)(line.end - line.at), line.at);
	return text;
}

TEST(lines_come_one_by_one_the_last_also_without_its_end)
{
	begin("one\n\nthree", 100);
	T_STR(next(), "one");
	T_STR(next(), "");
	T_STR(next(), "three");
	T_STR(next(), "end");
	T_OK(!lines.is_cut);
	as_lines_close(&lines);
}

TEST(a_file_longer_than_the_buffer_loses_no_line)
{
	char text[40000];
	size_t n = 0;

	for (int i = 0; i < 4000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%d\n", i);
	begin(text, sizeof(text));
	for (int i = 0; i < 4000; i++) {
		char want[16];

		snprintf(want, sizeof(want), "%d", i);
		T_STR(next(), want);
	}
	T_STR(next(), "end");
	as_lines_close(&lines);
}

TEST(what_lies_behind_the_limit_is_not_read_and_said_to_be_there)
{
	begin("first\nsecond\n", 8);
	T_STR(next(), "first");
	T_STR(next(), "se");
	T_STR(next(), "end");
	T_OK(lines.is_cut);
	as_lines_close(&lines);
}

TEST(a_line_longer_than_the_buffer_comes_in_pieces)
{
	char text[5002];

	memset(text, 'x', sizeof(text) - 2);
	memcpy(text + sizeof(text) - 2, "\n", 2);
	begin(text, sizeof(text));
	size_t n = 0;
	for (const char *piece; strcmp(piece = next(), "end") != 0;)
		n += strlen(piece);
	T_EQ(n, 5000);
	as_lines_close(&lines);
}

TEST(a_file_that_is_not_there_is_an_error)
{
	T_OK(as_lines_open(&lines, AT_FDCWD, "/proc/self/nothing", 10) < 0);
}
