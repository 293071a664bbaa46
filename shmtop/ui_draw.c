/* The frame around the screens: bottom line, prompts, status line, time bar; too small. */
#include "shmtop/ui.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shmtop/draw.h"
#include "shmtop/overlay.h"

/* ---- bottom line ------------------------------------------------------------------------- */

static int draw_tabs(const struct ui *ui, struct canvas *c, int row)
{
	int col = 0;

	for (int s = SCREEN_OVERVIEW; s < SCREEN_END; s++) {
		const struct view_ops *ops = view_of((enum screen_id)s);
		if (ops->why_not && c->cols < 60)
			continue;
		enum style style = s == (int)ui->screen ? STYLE_TITLE : STYLE_PLAIN;

		if (ops->why_not)
			style = STYLE_DIM;

		canvas_target(c, row, col, 1 + (int)strlen(ops->tab), ACT_SCREEN, s);
		col = canvas_char(c, row, col, ops->why_not ? STYLE_DIM : STYLE_KEY,
				  (uint32_t)('0' + s));
		col = canvas_text(c, row, col, style, ops->tab) + 1;
	}
	return col;
}

static const struct key *label_of_rank(const struct ui *ui, int rank)
{
	size_t n;
	const struct key *key = keys_all(&n);

	for (size_t i = 0; i < n; i++)
		if (key[i].label && key[i].label_rank == rank &&
		    (key[i].screens & (1u << ui->screen)))
			return &key[i];
	return NULL;
}

/* The keys that are valid here, those used most first, as far as there is room. */
static void draw_keys(const struct ui *ui, struct canvas *c, int row)
{
	const char *end = c->cols >= 100 ? "?:help q:quit" : "?:help q";
	const int last = c->cols - (int)strlen(end);
	int col = draw_tabs(ui, c, row) + (c->cols >= 60);

	for (int rank = 1; rank <= KEY_RANKS; rank++) {
		const struct key *k = label_of_rank(ui, rank);
		const int width = k ? (int)strlen(k->label) : 0;

		if (!k || col + width + 1 > last)
			continue;
		const bool is_off = k->action == ACT_DUMP && ui->read_only;

		canvas_target(c, row, col, width, k->action, 0);
		col = canvas_text(c, row, col, is_off ? STYLE_DIM : STYLE_PLAIN, k->label) + 1;
	}
	if (col > last)
		return;
	canvas_target(c, row, col, 6, ACT_HELP, 0);
	canvas_target(c, row, col + 7, 6, ACT_QUIT, 0);
	canvas_text(c, row, col, STYLE_PLAIN, end);
}

static void draw_prompt(const struct ui *ui, struct canvas *c, int row)
{
	static const char *const words[] = { "", "search: ", "filter: ",
					     "time (14:01, -5m, +30s, start, end): " };
	int col = canvas_text(c, row, 0, STYLE_KEY, words[ui->prompt]);

	col = canvas_text(c, row, col, STYLE_PLAIN, ui->input);
	canvas_char(c, row, col, STYLE_KEY, '_');
}

/* ---- status line ------------------------------------------------------------------------- */

static int draw_filter(const struct ui *ui, struct canvas *c, int row, int col)
{
	const struct view *v = &ui->view;

	if (ui->filter_text[0])
		col = canvas_printf(c, row, col, STYLE_WARNING, "filter: %s  %zu of %zu",
				    ui->filter_text, v->rows, ui->top.rows) +
		      3;
	if (v->hide_healthy)
		col = canvas_printf(c, row, col, STYLE_WARNING, "healthy rows hidden: %zu",
				    v->hidden) +
		      3;
	return col;
}

static void draw_paused(const struct ui *ui, struct canvas *c, int row, int col)
{
	const struct session *s = ui->session;
	const struct state *st = &ui->view.frame->st;
	char clock[UNITS_TEXT], behind[UNITS_TEXT];

	canvas_printf(c, row, col, STYLE_PAUSED, "PAUSED %s (%s ago)  L: back to live",
		      text_clock(clock, st->now_us, st->real_offset_us, false),
		      text_span(behind, (int64_t)(s->end_us - st->now_us)));
}

static void draw_status(const struct ui *ui, struct canvas *c, int row)
{
	if (ui->message[0]) {
		canvas_fit(c, row, 0, c->cols, STYLE_TITLE, ui->message);
		return;
	}
	const int col = draw_filter(ui, c, row, 0);
	if (ui->view.time == VIEW_PAUSED)
		draw_paused(ui, c, row, col);
}

/* ---- time bar of a replay ---------------------------------------------------------------- */

static int bar_column(const struct session *s, uint64_t us, int width)
{
	if (s->end_us <= s->begin_us || us <= s->begin_us)
		return 0;
	const double part = (double)(us - s->begin_us) / (double)(s->end_us - s->begin_us);

	return part >= 1 ? width - 1 : (int)(part * width);
}

static void short_clock(char buf[UNITS_TEXT], uint64_t us, const struct session *s)
{
	const bool is_short = s->end_us - s->begin_us < UINT64_C(600000000);

	text_clock(buf, us, s->real_offset_us, false);
	if (!is_short)
		buf[5] = '\0'; /* HH:MM */
}

/* "10:52 |-----!-----!!---^--| 14:02  REPLAY 14:01:50 (41 s before end)  e:next change" */
static void draw_time_bar(const struct ui *ui, struct canvas *c, int row)
{
	const struct session *s = ui->session;
	char begin[UNITS_TEXT], end[UNITS_TEXT], now[UNITS_TEXT], rest[UNITS_TEXT], text[160];
	uint64_t from, to;

	short_clock(begin, s->begin_us, s);
	short_clock(end, s->end_us, s);
	text_clock(now, s->clock_us, s->real_offset_us, false);
	if (session_gap(s, &from, &to))
		snprintf(text, sizeof(text), "no data %s to %s",
			 text_clock(begin, from, s->real_offset_us, false),
			 text_clock(rest, to, s->real_offset_us, false));
	else
		snprintf(text, sizeof(text), "REPLAY %s (%s before end)%s", now,
			 text_span(rest, (int64_t)(s->end_us - s->clock_us)),
			 s->is_playing ? " x1" : "");
	short_clock(begin, s->begin_us, s);
	const int width = c->cols - (int)strlen(begin) - (int)strlen(end) - (int)strlen(text) - 8;
	if (width < 8) {
		canvas_fit(c, row, 0, c->cols, STYLE_PAUSED, text);
		return;
	}
	int col = canvas_text(c, row, 0, STYLE_PLAIN, begin) + 1;
	col = canvas_char(c, row, col, STYLE_PLAIN, '|');
	for (int i = 0; i < width; i++)
		canvas_char(c, row, col + i, STYLE_DIM, '-');
	for (size_t i = 0; i < s->moments; i++)
		canvas_char(c, row, col + bar_column(s, s->moment[i].now_us, width),
			    severity_style(s->moment[i].worst), '!');
	canvas_char(c, row, col + bar_column(s, s->clock_us, width), STYLE_PAUSED, '^');
	col = canvas_char(c, row, col + width, STYLE_PLAIN, '|') + 1;
	col = canvas_text(c, row, col, STYLE_PLAIN, end) + 2;
	canvas_text(c, row, col, STYLE_PAUSED, text);
}

/* ---- all of it --------------------------------------------------------------------------- */

static void draw_too_small(const struct ui *ui, struct canvas *c)
{
	char text[80];

	snprintf(text, sizeof(text), "terminal is %dx%d, needs %dx%d", ui->cols, ui->rows,
		 UI_COLS_MIN, UI_ROWS_MIN);
	draw_wrapped(c, 0, 0, c->cols, c->rows, STYLE_PLAIN, text);
}

static void blank_row(struct canvas *c, int row)
{
	for (int i = 0; i < c->cols; i++)
		canvas_char(c, row, i, STYLE_PLAIN, ' ');
}

static bool has_status(const struct ui *ui)
{
	if (ui->message[0])
		return true;
	return !ui->overlay && (ui->filter_text[0] || ui->view.hide_healthy ||
				ui->view.time == VIEW_PAUSED);
}

void ui_draw(struct ui *ui, struct canvas *c)
{
	struct view *v = &ui->view;
	const bool replay = ui->session->is_replay;
	const int keys = c->rows - 1, bar = keys - replay;
	const int body = bar - has_status(ui);

	if (ui->rows < UI_ROWS_MIN || ui->cols < UI_COLS_MIN) {
		draw_too_small(ui, c);
		return;
	}
	v->cursor = &ui->cursor[ui->screen == SCREEN_PEER ? SCREEN_OVERVIEW : ui->screen];
	if (v->frame)
		view_of(ui->screen)->draw(v, c, body);
	else
		view_nothing(c, body / 2, "waiting for the first sample");
	if (ui->overlay && v->frame)
		overlay_draw(ui, c, body);
	/* a search in it may have had something to say */
	for (int r = bar - has_status(ui); r < c->rows; r++)
		blank_row(c, r);
	if (has_status(ui) && v->frame)
		draw_status(ui, c, bar - 1);
	if (replay && v->frame)
		draw_time_bar(ui, c, bar);
	if (ui->prompt)
		draw_prompt(ui, c, keys);
	else
		draw_keys(ui, c, keys);
}
