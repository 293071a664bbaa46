#include "shminspect/output.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/outfile.h"

enum { COLUMNS = 100 };

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

static bool is_to_terminal(const struct options *o)
{
	return !o->output && isatty(STDOUT_FILENO);
}

void output_paper(const struct options *o, struct paper *p)
{
	struct winsize size = { 0 };

	p->columns = COLUMNS;
	if (is_to_terminal(o) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		p->columns = size.ws_col;
	p->color = color_is_wanted(o->color, is_to_terminal(o));
	p->ascii = o->ascii;
	p->verbose = o->verbose;
}

int output_check(const struct options *o, struct err *err)
{
	return outfile_check(o->output, o->force, err);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		const ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(const struct options *o, const char *text, size_t len, struct err *err)
{
	struct outfile out;
	const int r = outfile_open(&out, o->output, o->force, err);

	if (r)
		return r;
	fwrite(text, 1, len, out.stream);
	return outfile_close(&out, true, err);
}

/* ---- a pager --------------------------------------------------------------------------------- */

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

static bool wants_pager(const struct options *o, const char *text, size_t len)
{
	struct winsize size = { 0 };

	if (o->no_pager || o->format != FORMAT_TEXT || !is_to_terminal(o) || !isatty(STDIN_FILENO))
		return false;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row &&
	       count_lines(text, len) >= size.ws_row;
}

static const char *pager(void)
{
	if (is_set("SHMSCOPE_PAGER"))
		return getenv("SHMSCOPE_PAGER");
	return is_set("PAGER") ? getenv("PAGER") : "less -FIRX";
}

/* Returns whether the pager showed it. */
static bool show_in_pager(const char *text, size_t len)
{
	signal(SIGPIPE, SIG_IGN); /* the reader may leave early */
	FILE *to = popen(pager(), "w");

	if (!to)
		return false;
	fwrite(text, 1, len, to);
	const int status = pclose(to);

	signal(SIGPIPE, SIG_DFL);
	return WIFEXITED(status) && WEXITSTATUS(status) < 126; /* the shell found none */
}

int output_write(const struct options *o, const char *text, size_t len, struct err *err)
{
	if (o->output)
		return write_file(o, text, len, err);
	if (wants_pager(o, text, len) && show_in_pager(text, len))
		return 0;
	const int r = write_all(STDOUT_FILENO, text, len);

	errno = -r;
	return r ? err_set(err, r, "standard output: cannot be written (%m)") : 0;
}
