/* Screen 6: every finding, confirmed, suspected and cleared; the selected one in full. */
#include "shmtop/view.h"

#include <stdio.h>

#include "shmtop/draw.h"

enum { HEAD_ROWS = 2, DETAIL_MIN = 8 };

static size_t items(const struct view *v)
{
	return v->findings;
}

static void text(const struct view *v, size_t at, char *buf, size_t room)
{
	const struct finding *f = v->finding[at];

	snprintf(buf, room, "%s %s %s", f->rule->name, f->place, f->brief);
}

static void draw_title(const struct view *v, struct canvas *c)
{
	const struct findings *f = &v->frame->findings;
	size_t cleared = 0;

	for (size_t i = 0; i < v->findings; i++)
		cleared += v->finding[i]->state == FINDING_CLEARED;
	int col = canvas_printf(c, 0, 0, STYLE_TITLE, "FINDINGS  %zu critical %zu warning",
				f->confirmed[SEVERITY_CRITICAL], f->confirmed[SEVERITY_WARNING]);
	if (f->confirmed[SEVERITY_INFO])
		col = canvas_printf(c, 0, col, STYLE_TITLE, " %zu info",
				    f->confirmed[SEVERITY_INFO]);
	if (cleared)
		col = canvas_printf(c, 0, col, STYLE_TITLE, ", %zu cleared", cleared);
	if (v->muted)
		canvas_printf(c, 0, col, STYLE_DIM, ", %zu muted (m: all back)", v->muted);
}

static void draw_row(const struct view *v, struct canvas *c, int row, const struct finding *f,
		     bool is_chosen)
{
	const enum style style = view_finding_style(f);
	enum style plain = is_chosen ? STYLE_CHOSEN : STYLE_PLAIN;
	char place[128], clock[UNITS_TEXT];

	if (f->state == FINDING_CLEARED)
		plain = STYLE_DIM;
	int col = canvas_text(c, row, 0, plain, is_chosen ? ">" : " ");

	col = canvas_text(c, row, col, style, view_mark(f)) + 1;
	col = canvas_fit(c, row, col, 16, style, f->rule->name) + 1;
	col = canvas_fit(c, row, col, 17, plain, view_place(place, sizeof(place), f)) + 1;
	col = canvas_fit(c, row, col, 9, plain,
			 text_clock(clock, f->since_us, v->frame->st.real_offset_us, false));
	col = canvas_fit(c, row, col, 11, plain, finding_state_name(f->state));
	canvas_fit(c, row, col, c->cols - col, plain, f->brief);
}

/* A block of the detail: its name, then text that may take several rows. Returns the next row. */
static int draw_block(struct canvas *c, int row, int end, int rows, const char *name,
		      const char *words)
{
	if (!words || !*words || row >= end)
		return row;
	if (name)
		canvas_text(c, row, 1, STYLE_HEAD, name);
	if (rows > end - row)
		rows = end - row;
	return row + draw_wrapped(c, row, 11, c->cols - 12, rows, STYLE_PLAIN, words);
}

static void draw_detail(struct canvas *c, int row, int end, const struct finding *f)
{
	char held[UNITS_TEXT], line[400], place[128];

	snprintf(line, sizeof(line), "F%u %s %s  %s for %s", f->number, f->rule->name,
		 view_place(place, sizeof(place), f), finding_state_name(f->state),
		 text_span(held, (int64_t)f->held_us));
	draw_rule(c, row++, line);
	row = draw_block(c, row, end, 5, "EVIDENCE", f->evidence_text ? f->evidence_text : f->brief);
	if (f->times > 1) {
		snprintf(line, sizeof(line), "seen %u times", f->times);
		row = draw_block(c, row, end, 1, NULL, line);
	}
	if (f->dwell_from_ages)
		row = draw_block(c, row, end, 2, NULL,
				 "from one moment: how long it has held was taken from ages in "
				 "the file");
	if (f->consequence_of) {
		snprintf(line, sizeof(line), "follows from F%u %s %s", f->consequence_of->number,
			 f->consequence_of->rule->name, f->consequence_of->place);
		row = draw_block(c, row, end, 2, "CAUSE", line);
	}
	row = draw_block(c, row, end, 3, "MEANS", f->means ? f->means : f->rule->means);
	for (unsigned i = 0; i < FINDING_NEXT && f->next[i]; i++)
		row = draw_block(c, row, end, 2, i ? NULL : "NEXT", f->next[i]);
	draw_block(c, row, end, 1, f->next[0] ? NULL : "NEXT", "x: explain   2: the peer   w: write");
}

static void draw(const struct view *v, struct canvas *c, int rows)
{
	int visible = (int)v->findings;

	draw_title(v, c);
	if (!v->findings) {
		view_nothing(c, rows / 2, v->frame->findings.verdict);
		return;
	}
	if (visible > rows - HEAD_ROWS - DETAIL_MIN)
		visible = rows - HEAD_ROWS - DETAIL_MIN;
	if (visible < 1)
		visible = 1;
	canvas_text(c, 1, 4, STYLE_HEAD,
		    "NAME             WHERE             SINCE    STATE      EVIDENCE");
	view_scroll(v->cursor, v->findings, visible);
	for (int i = 0; i < visible && v->cursor->first + (size_t)i < v->findings; i++) {
		const size_t at = v->cursor->first + (size_t)i;

		canvas_target(c, HEAD_ROWS + i, 0, c->cols, ACT_CHOOSE, (int)at);
		draw_row(v, c, HEAD_ROWS + i, v->finding[at], at == v->cursor->at);
	}
	draw_detail(c, HEAD_ROWS + visible, rows, v->finding[v->cursor->at]);
}

static const char *const help[] = {
	"!!     critical, confirmed    !  warning, confirmed",
	" ?     suspected: it has not held for its time yet",
	" -     cleared: it is over; it stays listed for 10 min",
	"SINCE  when it began, local time",
	"confirmed: it held for its time in at least two samples and nothing moved",
	NULL,
};

const struct view_ops view_findings = { .screen = SCREEN_FINDINGS,
					.name = "findings",
					.tab = "Find",
					.items = items,
					.draw = draw,
					.text = text,
					.help = help };
