#include "shminspect/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

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

static bool is_colored(const struct options *o)
{
	const char *term = getenv("TERM");
	const char *force = getenv("CLICOLOR_FORCE");

	if (o->color != COLOR_AUTO)
		return o->color == COLOR_ALWAYS;
	if (is_set("NO_COLOR"))
		return false;
	if (force && *force && strcmp(force, "0") != 0)
		return true;
	return is_to_terminal(o) && term && strcmp(term, "dumb") != 0;
}

void output_paper(const struct options *o, struct paper *p)
{
	struct winsize size = { 0 };

	p->columns = COLUMNS;
	if (is_to_terminal(o) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		p->columns = size.ws_col;
	p->color = is_colored(o);
	p->ascii = o->ascii;
	p->verbose = o->verbose;
}

int output_check(const struct options *o, struct err *err)
{
	struct stat st;

	if (!o->output || o->force || stat(o->output, &st))
		return 0;
	if (!S_ISREG(st.st_mode)) /* /dev/stdout, a pipe: written to, not replaced */
		return 0;
	err_set(err, -EEXIST, "%s: exists already; not overwritten", o->output);
	err_next(err, "--force, or another name");
	return -EEXIST;
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

/* ---- a file ---------------------------------------------------------------------------------- */

static int write_in_place(const char *path, const char *text, size_t len, struct err *err)
{
	CLOSES int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be written (%m)", path);
	errno = -write_all(fd, text, len);
	return errno ? err_set(err, -errno, "%s: cannot be written (%m)", path) : 0;
}

static int fill(int fd, const char *text, size_t len)
{
	const mode_t mask = umask(0);

	umask(mask);
	fchmod(fd, 0666 & ~mask); /* as any file; mkstemp is stricter */
	const int r = write_all(fd, text, len);

	return r ? r : fsync(fd) ? -errno : 0;
}

static int replace_file(const struct options *o, const char *text, size_t len, struct err *err)
{
	FREES char *temporary = NULL;

	if (asprintf(&temporary, "%s.XXXXXX", o->output) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", o->output);
	CLOSES int fd = mkostemp(temporary, O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be written (%m)", o->output);
	int r = fill(fd, text, len);

	/* a file that appeared meanwhile is not replaced either, where the filesystem can tell */
	if (!r && renameat2(AT_FDCWD, temporary, AT_FDCWD, o->output, o->force ? 0 : RENAME_NOREPLACE))
		r = errno == EINVAL && !rename(temporary, o->output) ? 0 : -errno;
	if (r)
		unlink(temporary);
	errno = -r;
	return r ? err_set(err, r, "%s: cannot be written (%m)", o->output) : 0;
}

static int write_file(const struct options *o, const char *text, size_t len, struct err *err)
{
	struct stat st;

	if (stat(o->output, &st) == 0 && !S_ISREG(st.st_mode))
		return write_in_place(o->output, text, len, err);
	return replace_file(o, text, len, err);
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
