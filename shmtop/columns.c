#include "shmtop/columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shmtop/draw.h"

enum { BAR_MIN = 6, NAME_MIN = 6 };

static const struct columns narrow = {
	.column = {
		{ COL_ID, "ID", 2, 1, false, TOP_BY_ID },
		{ COL_NAME, "NAME", 8, 1, true, TOP_BY_NAME },
		{ COL_PID, "PID", 4, 1, false, TOP_BY_PID },
		{ COL_STATE, "STATE", 6, 1, true, TOP_BY_STATE },
		{ COL_BEAT, "BEAT", 5, 1, false, TOP_BY_BEAT },
		{ COL_RECV, " RECV RING", 14, 1, true, TOP_BY_RECV },
		{ COL_RECV_BELL, "BELL", 5, 0, false, -1 },
		{ COL_RECV_FLAG, "W", 1, 1, false, -1 },
		{ COL_SEND, " SEND RING", 14, 1, true, TOP_BY_SEND },
		{ COL_SEND_BELL, "BELL", 5, 0, false, -1 },
		{ COL_SEND_FLAG, "W", 1, 1, false, -1 },
		{ COL_CALLS, "CALLS", 5, 1, false, TOP_BY_CALLS },
	},
	.n = 12,
	.bar = 10,
	.figure = 4,
};

static const struct columns wide = {
	.column = {
		{ COL_ID, "ID", 2, 1, false, TOP_BY_ID },
		{ COL_NAME, "NAME", 9, 1, true, TOP_BY_NAME },
		{ COL_PID, "PID", 4, 1, false, TOP_BY_PID },
		{ COL_STATE, "STATE", 6, 1, true, TOP_BY_STATE },
		{ COL_BEAT, "BEAT", 5, 0, false, TOP_BY_BEAT },
		{ COL_RECV, "RECV RING host>peer", 20, 2, true, TOP_BY_RECV },
		{ COL_RECV_BELL, "BELL", 5, 0, false, -1 },
		{ COL_RECV_FLAG, "W", 1, 1, false, -1 },
		{ COL_RECV_RATE, "RATE", 4, 2, false, TOP_BY_RATE },
		{ COL_SEND, "SEND RING peer>host", 20, 2, true, TOP_BY_SEND },
		{ COL_SEND_BELL, "BELL", 5, 0, false, -1 },
		{ COL_SEND_FLAG, "W", 1, 1, false, -1 },
		{ COL_SEND_RATE, "RATE", 4, 2, false, TOP_BY_RATE },
		{ COL_CALLS, "CALLS", 5, 2, false, TOP_BY_CALLS },
		{ COL_SLOTS, "SLOTS", 5, 2, false, TOP_BY_SLOTS },
		{ COL_RSS, "RSS", 4, 2, false, TOP_BY_RSS },
	},
	.n = 16,
	.wide = true,
	.bar = 12,
	.figure = 8,
};

/* ---- widths ------------------------------------------------------------------------------ */

static int digits(int64_t n)
{
	int d = 1;

	while (n >= 10) {
		n /= 10;
		d++;
	}
	return d;
}

static void widen(int *width, int wanted)
{
	if (wanted > *width)
		*width = wanted;
}

static int total_width(const struct columns *t)
{
	int width = 0;

	for (size_t i = 0; i < t->n; i++)
		width += t->column[i].gap + t->column[i].width;
	return width;
}

static void set_bars(struct columns *t, int bar)
{
	t->bar = bar;
	for (size_t i = 0; i < t->n; i++)
		if (t->column[i].id == COL_RECV || t->column[i].id == COL_SEND)
			t->column[i].width = bar + t->figure;
}

/* What the data needs; returns how long the longest name is. */
static int fit_data(struct columns *t, const struct view *v)
{
	int name = 0;

	for (size_t i = 0; i < v->rows; i++) {
		const struct top_row *r = v->row[i];

		widen(&t->column[COL_ID].width, digits(r->key.peer));
		widen(&t->column[COL_PID].width, digits(r->pid));
		widen(&name, canvas_columns(r->name, true));
		if (t->wide)
			widen(&t->figure, 2 + 2 * digits(r->ring[HUB_RECV].capacity));
	}
	set_bars(t, t->bar);
	return name;
}

static bool is_flag(const struct column *k)
{
	return k->id == COL_RECV_FLAG || k->id == COL_SEND_FLAG;
}

struct columns columns_make(const struct view *v, int cols)
{
	struct columns t = cols >= COLUMNS_WIDE ? wide : narrow;
	struct column *const name = &t.column[COL_NAME];
	const int wanted = fit_data(&t, v);

	widen(&name->width, wanted);
	if (v->batch)
		return t;
	while (total_width(&t) > cols && t.bar > BAR_MIN)
		set_bars(&t, t.bar - 1);
	while (total_width(&t) > cols && name->width > NAME_MIN)
		name->width--;
	/* a bell without its waiting flag misleads: they go together */
	while (t.n > 2 && total_width(&t) > cols)
		t.n -= is_flag(&t.column[t.n - 1]) ? 2 : 1;
	return t;
}

/* ---- drawing ----------------------------------------------------------------------------- */

void columns_head(const struct columns *t, const struct view *v, struct canvas *c, int row)
{
	int col = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct column *k = &t->column[i];
		const enum style style = k->sort == (int)v->order.sort && k->sort != TOP_BY_ID
						 ? STYLE_SORTED
						 : STYLE_HEAD;

		col += k->gap;
		if (k->left)
			canvas_text(c, row, col, style, k->head);
		else
			canvas_right(c, row, col + k->width, style, k->head);
		if (k->sort >= 0)
			canvas_target(c, row, col, k->width, ACT_SORT, k->sort);
		col += k->width;
	}
}

static enum style status_style(const struct top_row *r, enum style plain)
{
	switch (r->status) {
	case TOP_ASLEEP:
	case TOP_STALL:
	case TOP_QUARANTINED:
	case TOP_DEAD:
		return r->worst == SEVERITIES ? STYLE_WARNING : severity_style(r->worst);
	case TOP_STOP:
		return STYLE_WARNING;
	case TOP_GONE:
	case TOP_UNKNOWN:
		return STYLE_DIM;
	default:
		return plain;
	}
}

static void draw_ring(const struct columns *t, struct canvas *c, int row, int col,
		      enum style style, const struct top_ring *ring)
{
	char figure[2 * UNITS_TEXT], n[UNITS_TEXT];

	if (!ring->is_there) {
		canvas_text(c, row, col, STYLE_DIM, "-");
		return;
	}
	if (ring->damage) {
		canvas_fit(c, row, col, t->bar + t->figure, STYLE_CRITICAL, "damaged");
		return;
	}
	draw_bar(c, row, col, t->bar, (uint64_t)ring->waiting, 0, (uint64_t)ring->capacity);
	if (t->wide)
		snprintf(figure, sizeof(figure), "%s/%" PRId64, text_number(n, ring->waiting),
			 ring->capacity);
	else
		text_short(figure, ring->waiting);
	canvas_right(c, row, col + t->bar + t->figure, style, figure);
}

static void draw_bell(const struct columns *t, struct canvas *c, int row, int end,
		      enum style style, const struct top_ring *ring)
{
	char n[UNITS_TEXT];

	text_short(n, ring->is_there ? ring->bell : -1);
	if (ring->bell_odd) {
		canvas_char(c, row, end - 1, STYLE_CRITICAL, '!');
		canvas_right(c, row, end - 1, STYLE_CRITICAL, n);
	} else {
		/* narrow keeps the place of the mark, so that the figures stand in line */
		canvas_right(c, row, t->wide ? end : end - 1, style, n);
	}
}

static void draw_slots(struct canvas *c, int row, int end, enum style style,
		       const struct top_row *r)
{
	char n[UNITS_TEXT], text[2 * UNITS_TEXT];

	if (r->slots_dead > 0) {
		snprintf(text, sizeof(text), "X %s", text_short(n, r->slots_dead));
		canvas_right(c, row, end, STYLE_DEAD, text);
	} else {
		canvas_right(c, row, end, style, text_short(n, r->slots));
	}
}

static const char *flag_text(const struct top_ring *ring)
{
	return ring->is_there && ring->flag == STATE_YES ? "W" : "-";
}

static void draw_id(struct canvas *c, int row, int end, enum style style, const struct top_row *r)
{
	char n[UNITS_TEXT];

	canvas_right(c, row, end, style, text_number(n, r->key.hub ? (int64_t)r->key.peer : -1));
	if (r->old_hub)
		canvas_char(c, row, end, STYLE_WARNING, '~');
}

static void draw_cell(const struct columns *t, const struct column *k, struct canvas *c, int row,
		      int col, enum style style, const struct top_row *r)
{
	const int end = col + k->width;
	const struct top_ring *recv = &r->ring[HUB_RECV], *send = &r->ring[HUB_SEND];
	char n[UNITS_TEXT];

	switch (k->id) {
	case COL_ID:
		draw_id(c, row, end, style, r);
		break;
	case COL_NAME:
		canvas_fit(c, row, col, k->width, style, r->name);
		break;
	case COL_PID:
		canvas_right(c, row, end, style, text_number(n, r->pid > 0 ? r->pid : -1));
		break;
	case COL_STATE:
		canvas_text(c, row, col, status_style(r, style), top_status_word(r->status));
		break;
	case COL_BEAT:
		canvas_right(c, row, end, style, text_age(n, r->beat_us));
		break;
	case COL_RECV:
		draw_ring(t, c, row, col, style, recv);
		break;
	case COL_RECV_BELL:
		draw_bell(t, c, row, end, style, recv);
		break;
	case COL_RECV_FLAG:
		canvas_text(c, row, col, style, flag_text(recv));
		break;
	case COL_RECV_RATE:
		canvas_right(c, row, end, style, text_rate(n, recv->rate));
		break;
	case COL_SEND:
		draw_ring(t, c, row, col, style, send);
		break;
	case COL_SEND_BELL:
		draw_bell(t, c, row, end, style, send);
		break;
	case COL_SEND_FLAG:
		canvas_text(c, row, col, style, flag_text(send));
		break;
	case COL_SEND_RATE:
		canvas_right(c, row, end, style, text_rate(n, send->rate));
		break;
	case COL_CALLS:
		canvas_right(c, row, end, style, text_short(n, r->calls));
		break;
	case COL_SLOTS:
		draw_slots(c, row, end, style, r);
		break;
	case COL_RSS:
		canvas_right(c, row, end, style, text_bytes(n, r->rss_bytes));
		if (r->old_process)
			canvas_char(c, row, end - k->width - 1, STYLE_WARNING, '~');
		break;
	case COLUMNS_MAX:
		break;
	}
}

void columns_row(const struct columns *t, const struct view *v, struct canvas *c, int row,
		 const struct top_row *r)
{
	const bool is_chosen = r == v->chosen && !v->batch;
	enum style style = is_chosen ? STYLE_CHOSEN : STYLE_PLAIN;
	int col = 0;

	if (r->status == TOP_GONE)
		style = STYLE_DIM;
	if (is_chosen)
		canvas_char(c, row, 0, STYLE_CHOSEN, '>');
	for (size_t i = 0; i < t->n; i++) {
		col += t->column[i].gap;
		/* among several hubs, the host's row says whose peers follow */
		if (t->column[i].id == COL_RECV && v->top->hubs > 1 && r->key.hub && !r->key.peer) {
			canvas_printf(c, row, col, STYLE_HEAD, "hub %s", r->hub_name);
			return;
		}
		draw_cell(t, &t->column[i], c, row, col, style, r);
		col += t->column[i].width;
	}
}
