#include "lib/base/err.h"

#include <errno.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	const int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	errno = saved; /* for %m */
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->next[0] = '\0';
	err->code = code;
	errno = saved;
	return code;
}

int err_next(struct err *err, const char *fmt, ...)
{
	if (!err)
		return 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->next, sizeof(err->next), fmt, ap);
	va_end(ap);
	return err->code;
}

static size_t printable(const char *s)
{
	size_t n = 0;

	while ((unsigned char)s[n] >= 0x20 && s[n] != 0x7f)
		n++;
	return n;
}

static void put_printable(FILE *out, const char *s)
{
	/* in pieces as long as may be: stderr has no buffer, each is a system call */
	for (;;) {
		const size_t n = printable(s);

		fwrite(s, 1, n, out);
		s += n;
		if (!*s)
			return;
		fprintf(out, "\\x%02x", (unsigned char)*s++);
	}
}

void err_print(FILE *out, const char *tool, const char *kind, const struct err *err)
{
	fprintf(out, "%s: %s: ", tool, kind);
	put_printable(out, err->text);
	fputc('\n', out);
	if (err->next[0]) {
		fputs("  next: ", out);
		put_printable(out, err->next);
		fputc('\n', out);
	}
}

void err_print_usage(FILE *out, const char *tool, const struct err *err)
{
	struct err hinted = *err;

	if (!hinted.next[0])
		err_next(&hinted, "`%s --help` lists the options", tool);
	err_print(out, tool, "error", &hinted);
}
