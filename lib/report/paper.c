#include "lib/report/paper.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const codes[] = {
	[INK_BOLD] = "\033[1m",    [INK_DIM] = "\033[2m",      [INK_RED] = "\033[1;31m",
	[INK_YELLOW] = "\033[33m", [INK_GREEN] = "\033[32m",
};

static void write_text(const struct paper *p, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (!p->ascii || c < 0x80)
			fputc(c, p->out);
		else if (c >= 0xc0) /* once per character */
			fputc('?', p->out);
	}
}

static void write_ink(const struct paper *p, enum ink ink, const char *text, size_t n)
{
	const bool colored = p->color && ink != INK_PLAIN && n;

	if (colored)
		fputs(codes[ink], p->out);
	write_text(p, text, n);
	if (colored)
		fputs("\033[0m", p->out);
}

static void write_formatted(const struct paper *p, enum ink ink, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return;
	write_ink(p, ink, text, strlen(text));
	free(text);
}

void paper_put(const struct paper *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_formatted(p, INK_PLAIN, fmt, ap);
	va_end(ap);
}

void paper_ink(const struct paper *p, enum ink ink, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_formatted(p, ink, fmt, ap);
	va_end(ap);
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static unsigned width_of(const char *text, size_t n)
{
	unsigned width = 0;

	for (size_t i = 0; i < n; i++)
		width += !is_continuation(text[i]);
	return width;
}

unsigned paper_width(const char *text)
{
	return width_of(text, strlen(text));
}

/* Bytes of the next line: as many words as fit, at least one; a word that is wider is not cut,
 * for somebody will want to copy it. */
static size_t line_length(const char *text, unsigned room)
{
	const size_t whole = strcspn(text, "\n");
	size_t end = 0;

	if (width_of(text, whole) <= room)
		return whole;
	while (end < whole) {
		const size_t blank = end + (text[end] == ' ');
		const size_t word = blank + strcspn(text + blank, " \n");

		if (end && width_of(text, word) > room)
			break;
		end = word;
	}
	return end;
}

void paper_label(const struct paper *p, unsigned indent, const char *label, unsigned column,
		 enum ink ink, const char *text)
{
	unsigned room = p->columns > column + 20 ? p->columns - column : 20;

	if (!p->columns)
		room = 1u << 30;

	paper_put(p, "%*s%-*s", (int)indent, "", (int)(column - indent), label);
	for (bool first = true; first || *text; first = false) {
		const size_t n = line_length(text, room);
		size_t shown = n;

		while (shown && text[shown - 1] == ' ')
			shown--;
		if (!first)
			paper_put(p, "%*s", (int)column, "");
		write_ink(p, ink, text, shown);
		fputc('\n', p->out);
		text += n;
		text += strspn(text, " \n");
	}
}
