#include "tests/tool_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len), *from = fopen(path, "r");
	char buf[4096];
	size_t n;

	if (!from || !to)
		T_FAIL("%s: %m", path);
	while ((n = fread(buf, 1, sizeof(buf), from)) > 0)
		fwrite(buf, 1, n, to);
	fclose(from);
	fclose(to);
	unlink(path);
	return text;
}

struct tool_run tool_run(const char *fmt, ...)
{
	const char *dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	const char *b = getenv("B") ? getenv("B") : "build/plain";
	struct tool_run t = { 0 };
	char *command, *line, *out, *err;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&command, fmt, ap) < 0)
		T_FAIL("no memory");
	va_end(ap);
	if (asprintf(&out, "%s/out.%d", dir, getpid()) < 0 ||
	    asprintf(&err, "%s/err.%d", dir, getpid()) < 0 ||
	    asprintf(&line, "PATH=\"$PWD/%s/bin:$PATH\"; { %s; } >%s 2>%s </dev/null", b, command,
		     out, err) < 0)
		T_FAIL("no memory");
	fflush(NULL);
	const int status = system(line);

	t.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	t.out = read_file(out);
	t.err = read_file(err);
	free(command);
	free(line);
	free(out);
	free(err);
	return t;
}

void tool_end(struct tool_run *t)
{
	free(t->out);
	free(t->err);
}
