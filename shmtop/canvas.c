#include "shmtop/canvas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "lib/base/grow.h"

int canvas_init(struct canvas *c, int rows, int cols, bool utf8)
{
	*c = (struct canvas){ .rows = rows, .cols = cols, .utf8 = utf8 };
	c->cell = calloc((size_t)rows * (size_t)cols, sizeof(*c->cell));
	if (!c->cell)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)rows * (size_t)cols; i++)
		c->cell[i].ch = ' ';
	return 0;
}

void canvas_fini(struct canvas *c)
{
	free(c->cell);
	free(c->target);
	*c = (struct canvas){ 0 };
}

/* Bytes of the UTF-8 sequence that begins with this byte; 0: none does. */
static unsigned sequence_bytes(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The next code point of s, '?' for bytes that are not UTF-8 and for control characters. */
static uint32_t next_point(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	const unsigned bytes = sequence_bytes(p[0]);
	uint32_t ch = bytes < 2 ? p[0] : p[0] & (0x7fu >> bytes);

	for (unsigned i = 1; i < bytes; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*s += 1;
			return '?';
		}
		ch = ch << 6 | (p[i] & 0x3f);
	}
	*s += bytes ? bytes : 1;
	return !bytes || ch < 0x20 || (ch >= 0x7f && ch < 0xa0) ? '?' : ch;
}

static int point_columns(uint32_t *ch, bool utf8)
{
	if (*ch < 0x7f)
		return 1;
	const int columns = utf8 ? wcwidth((wchar_t)*ch) : -1;
	if (columns < 0) {
		*ch = '?';
		return 1;
	}
	return columns;
}

int canvas_columns(const char *text, bool utf8)
{
	int columns = 0;

	while (*text) {
		uint32_t ch = next_point(&text);

		columns += point_columns(&ch, utf8);
	}
	return columns;
}

/* What is written over may be half of a wide character: its other half goes too. */
static void split_wide(struct canvas_cell *cell, int col, int cols)
{
	if (cell->ch == 0 && col > 0)
		cell[-1].ch = ' ';
	if (col + 1 < cols && cell[1].ch == 0)
		cell[1].ch = ' ';
}

int canvas_char(struct canvas *c, int row, int col, enum style style, uint32_t ch)
{
	const int columns = point_columns(&ch, c->utf8);

	if (columns > 0 && row >= 0 && row < c->rows && col >= 0 && col + columns <= c->cols) {
		struct canvas_cell *cell = &c->cell[(size_t)row * (size_t)c->cols + (size_t)col];

		for (int i = 0; i < columns; i++) {
			split_wide(&cell[i], col + i, c->cols);
			cell[i] = (struct canvas_cell){ i ? 0 : ch, (uint8_t)style };
		}
	}
	return col + columns;
}

int canvas_text(struct canvas *c, int row, int col, enum style style, const char *text)
{
	while (*text)
		col = canvas_char(c, row, col, style, next_point(&text));
	return col;
}

int canvas_printf(struct canvas *c, int row, int col, enum style style, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	const int len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		return col;
	col = canvas_text(c, row, col, style, text);
	free(text);
	return col;
}

int canvas_fit(struct canvas *c, int row, int col, int width, enum style style, const char *text)
{
	const int end = col + width;
	const int mark = c->utf8 ? 1 : 2;
	const bool cut = canvas_columns(text, c->utf8) > width;
	const int room = cut && width > mark ? end - mark : end;

	while (*text) {
		uint32_t ch = next_point(&text);

		if (col + point_columns(&ch, c->utf8) > room)
			break;
		col = canvas_char(c, row, col, style, ch);
	}
	if (cut && width > mark)
		canvas_text(c, row, col, style, c->utf8 ? "\u2026" : "..");
	return end;
}

int canvas_right(struct canvas *c, int row, int end, enum style style, const char *text)
{
	canvas_text(c, row, end - canvas_columns(text, c->utf8), style, text);
	return end;
}

void canvas_target(struct canvas *c, int row, int col, int cols, int action, int arg)
{
	if (GROW(c->target, c->targets, c->targets_room))
		c->target[c->targets++] =
			(struct canvas_target){ row, col, cols, action, arg };
}

const struct canvas_target *canvas_target_at(const struct canvas *c, int row, int col)
{
	/* what was drawn last lies on top */
	for (size_t i = c->targets; i-- > 0;) {
		const struct canvas_target *t = &c->target[i];

		if (t->row == row && col >= t->col && col < t->col + t->cols)
			return t;
	}
	return NULL;
}

static int used_columns(const struct canvas *c, int row)
{
	const struct canvas_cell *cell = &c->cell[(size_t)row * (size_t)c->cols];
	int n = c->cols;

	while (n > 0 && cell[n - 1].ch == ' ')
		n--;
	return n;
}

static void put_point(uint32_t ch, FILE *out)
{
	if (ch < 0x80) {
		putc((int)ch, out);
	} else if (ch < 0x800) {
		putc((int)(0xc0 | ch >> 6), out);
		putc((int)(0x80 | (ch & 0x3f)), out);
	} else {
		if (ch < 0x10000) {
			putc((int)(0xe0 | ch >> 12), out);
		} else {
			putc((int)(0xf0 | ch >> 18), out);
			putc((int)(0x80 | (ch >> 12 & 0x3f)), out);
		}
		putc((int)(0x80 | (ch >> 6 & 0x3f)), out);
		putc((int)(0x80 | (ch & 0x3f)), out);
	}
}

void canvas_put(const struct canvas *c, int row, FILE *out)
{
	const struct canvas_cell *cell = &c->cell[(size_t)row * (size_t)c->cols];
	const int n = used_columns(c, row);

	for (int i = 0; i < n; i++)
		if (cell[i].ch)
			put_point(cell[i].ch, out);
	putc('\n', out);
}

void canvas_write(const struct canvas *c, FILE *out)
{
	int rows = c->rows;

	while (rows > 0 && used_columns(c, rows - 1) == 0)
		rows--;
	for (int r = 0; r < rows; r++)
		canvas_put(c, r, out);
}
