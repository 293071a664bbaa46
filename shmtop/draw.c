#include "shmtop/draw.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* ---- bars -------------------------------------------------------------------------------- */

/* Columns that value takes of width; a rest of a seventh of a column counts. */
static int bar_columns(uint64_t value, uint64_t total, int width)
{
	if (value >= total)
		return total ? width : 0;
	const double exact = (double)value * width / (double)total;
	int columns = (int)exact;

	if (exact - columns >= 0.15)
		columns++;
	return columns >= width ? width - 1 : columns;
}

static void draw_plain_bar(struct canvas *c, int row, int col, int width, int used, int dead)
{
	for (int i = 0; i < width; i++) {
		if (i >= used)
			canvas_char(c, row, col + i, STYLE_DIM, '.');
		else if (i >= used - dead)
			canvas_char(c, row, col + i, STYLE_DEAD, 'X');
		else
			canvas_char(c, row, col + i, STYLE_BAR, '#');
	}
}

/* U+2588 is a full block; 2589..258F are seven eighths down to one. */
static void draw_fine_bar(struct canvas *c, int row, int col, int width, double exact, int dead)
{
	int eighths = (int)(exact * 8 + 0.5);

	for (int i = 0; i < width; i++, eighths -= 8) {
		if (eighths >= 8)
			canvas_char(c, row, col + i, STYLE_BAR, 0x2588);
		else if (eighths > 0)
			canvas_char(c, row, col + i, STYLE_BAR, 0x2590u - (uint32_t)eighths);
		else
			canvas_char(c, row, col + i, STYLE_DIM, 0xb7);
	}
	const int used = (int)(exact + 0.999);
	for (int i = used - dead; i < used; i++)
		canvas_char(c, row, col + i, STYLE_DEAD, 'X');
}

int draw_bar(struct canvas *c, int row, int col, int width, uint64_t value, uint64_t dead,
	     uint64_t total)
{
	const int inner = width - 2;
	const int used = bar_columns(value, total, inner);
	int of_dead = total ? (int)((double)dead * inner / (double)total) : 0;

	if (of_dead == 0 && dead && used)
		of_dead = 1;
	if (of_dead > used)
		of_dead = used;
	canvas_char(c, row, col, STYLE_PLAIN, '[');
	if (c->utf8 && !c->plain && total)
		draw_fine_bar(c, row, col + 1, inner,
			      value >= total ? inner : (double)value * inner / (double)total,
			      of_dead);
	else
		draw_plain_bar(c, row, col + 1, inner, used, of_dead);
	return canvas_char(c, row, col + width - 1, STYLE_PLAIN, ']');
}

int draw_spark(struct canvas *c, int row, int col, int width, const double *value, size_t n)
{
	static const char ascii[] = "_.-'^";
	double low = -1, high = -1;

	for (size_t i = 0; i < n; i++) {
		if (value[i] < 0)
			continue;
		low = low < 0 || value[i] < low ? value[i] : low;
		high = value[i] > high ? value[i] : high;
	}
	/* what moves by less than a fiftieth is flat, not a mountain */
	const double range = high - low < high / 50 ? 0 : high - low;
	for (int i = 0; i < width; i++) {
		const size_t at = n ? ((size_t)i * n + n / 2) / (size_t)width : 0;
		const double v = n ? value[at < n ? at : n - 1] : -1;
		const double part = range > 0 ? (v - low) / range : 0;

		if (v < 0)
			canvas_char(c, row, col + i, STYLE_DIM, ' ');
		else if (c->utf8 && !c->plain)
			canvas_char(c, row, col + i, STYLE_BAR, 0x2581u + (uint32_t)(part * 7.99));
		else
			canvas_char(c, row, col + i, STYLE_BAR, (uint32_t)ascii[(int)(part * 4.99)]);
	}
	return col + width;
}

void draw_rule(struct canvas *c, int row, const char *text)
{
	int col = canvas_text(c, row, 1, STYLE_DIM, "---- ");

	col = canvas_text(c, row, col, STYLE_HEAD, text) + 1;
	while (col < c->cols - 1 && col < 119)
		col = canvas_char(c, row, col, STYLE_DIM, c->utf8 && !c->plain ? 0x2500 : '-');
}

/* ---- wrapping ---------------------------------------------------------------------------- */

/* How many bytes of text go on a row of `width` columns, and where the next row begins. */
static size_t break_row(const char *text, int width, bool utf8, const char **rest)
{
	size_t last = 0, i = 0;

	for (;; i++) {
		if (text[i] != ' ' && text[i] != '\n' && text[i] != '\0')
			continue;
		char row[512];
		const size_t len = i < sizeof(row) ? i : sizeof(row) - 1;

		memcpy(row, text, len);
		row[len] = '\0';
		if (canvas_columns(row, utf8) > width && last)
			break;
		last = i;
		if (text[i] != ' ')
			break;
	}
	*rest = text + last;
	while (**rest == ' ')
		(*rest)++;
	if (**rest == '\n')
		(*rest)++;
	return last;
}

int draw_wrapped(struct canvas *c, int row, int col, int width, int rows, enum style style,
		 const char *text)
{
	const bool utf8 = c && c->utf8;
	int n = 0;

	while (*text && n < rows) {
		const char *rest;
		const size_t len = break_row(text, width, utf8, &rest);
		char line[512];

		/* the last row takes all that is left, and says when that is too much */
		if (n + 1 == rows && *rest)
			snprintf(line, sizeof(line), "%s", text);
		else
			snprintf(line, sizeof(line), "%.*s", (int)len, text);
		if (c)
			canvas_fit(c, row + n, col, width, style, line);
		text = rest;
		n++;
	}
	return n;
}

/* ---- figures ----------------------------------------------------------------------------- */

char *text_age(char buf[UNITS_TEXT], int64_t us)
{
	const int64_t s = us / 1000000;

	if (us < 0)
		strcpy(buf, "-");
	else if (us < 100 * INT64_C(1000000))
		snprintf(buf, UNITS_TEXT, "%.1f", (double)(us / 100000) / 10);
	else if (s < 10000)
		snprintf(buf, UNITS_TEXT, "%" PRId64, s);
	else if (s < 360000)
		snprintf(buf, UNITS_TEXT, "%" PRId64 "h%02" PRId64, s / 3600, s / 60 % 60);
	else
		snprintf(buf, UNITS_TEXT, "%" PRId64 "d", s / 86400);
	return buf;
}

char *text_span(char buf[UNITS_TEXT], int64_t us)
{
	return us < 0 ? strcpy(buf, "-") : units_age(buf, (uint64_t)us * 1000);
}

char *text_rate(char buf[UNITS_TEXT], double per_second)
{
	if (per_second < 0)
		strcpy(buf, "-");
	else if (per_second < 99.5)
		snprintf(buf, UNITS_TEXT, "%.0f", per_second);
	else if (per_second < 9950)
		snprintf(buf, UNITS_TEXT, "%.1fk", per_second / 1e3);
	else if (per_second < 999500)
		snprintf(buf, UNITS_TEXT, "%.0fk", per_second / 1e3);
	else
		snprintf(buf, UNITS_TEXT, "%.1fM", per_second / 1e6);
	return buf;
}

char *text_number(char buf[UNITS_TEXT], int64_t n)
{
	if (n < 0)
		strcpy(buf, "-");
	else
		snprintf(buf, UNITS_TEXT, "%" PRId64, n);
	return buf;
}

char *text_short(char buf[UNITS_TEXT], int64_t n)
{
	if (n < 10000)
		return text_number(buf, n);
	if (n < 1000000)
		snprintf(buf, UNITS_TEXT, "%" PRId64 "k", n / 1000);
	else
		snprintf(buf, UNITS_TEXT, "%" PRId64 "M", n / 1000000);
	return buf;
}

char *text_bytes(char buf[UNITS_TEXT], int64_t bytes)
{
	return bytes < 0 ? strcpy(buf, "-") : units_bytes(buf, (uint64_t)bytes);
}

char *text_clock(char buf[UNITS_TEXT], uint64_t mono_us, int64_t real_offset_us, bool tenths)
{
	const int64_t us = (int64_t)mono_us + real_offset_us;
	const time_t s = (time_t)(us / 1000000);
	struct tm tm;

	if (!mono_us || !localtime_r(&s, &tm))
		return strcpy(buf, "-");
	snprintf(buf, UNITS_TEXT, tenths ? "%02d:%02d:%02d.%d" : "%02d:%02d:%02d", tm.tm_hour,
		 tm.tm_min, tm.tm_sec, (int)(us / 100000 % 10));
	return buf;
}

const char *severity_mark(enum severity s)
{
	static const char *const marks[] = { [SEVERITY_CRITICAL] = "!!", [SEVERITY_WARNING] = " !",
					     [SEVERITY_INFO] = " i", [SEVERITIES] = "  " };

	return marks[s];
}

enum style severity_style(enum severity s)
{
	if (s == SEVERITY_CRITICAL)
		return STYLE_CRITICAL;
	return s == SEVERITY_WARNING ? STYLE_WARNING : STYLE_PLAIN;
}
