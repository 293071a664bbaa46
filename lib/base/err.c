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

static void put_printable(FILE *out, const char *s)
{
	for (; *s; s++) {
		const unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
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
