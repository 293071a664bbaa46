/* Screen 1: what is wrong, who is there, whose slots, how much memory. */
#include "shmtop/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shmtop/columns.h"
#include "shmtop/draw.h"
#include "shmtop/plan.h"
#include "shmtop/top_slots.h"

enum { MEMORY_ROWS = 4, MEMORY_NAME = 10, DETAIL_ROWS = 6, SLOT_COLUMNS = 3, SLOT_CELL = 27 };

static bool is_wide(const struct canvas *c)
{
	return c->cols >= COLUMNS_WIDE;
}

/* Columns fall away there, and single findings: the verdict has the room. */
static bool is_tiny(const struct canvas *c)
{
	return c->cols < 60;
}

static size_t items(const struct view *v)
{
	return v->rows;
}

/* ---- title ------------------------------------------------------------------------------- */

static void title_time(char *buf, size_t room, const struct view *v, bool short_form)
{
	static const char *const words[] = { "LIVE", "PAUSED", "REPLAY" };
	const struct state *st = &v->frame->st;
	char clock[UNITS_TEXT], every[UNITS_TEXT];

	text_clock(clock, st->now_us, st->real_offset_us, false);
	if (v->time != VIEW_LIVE || !v->order.interval_us || short_form)
		snprintf(buf, room, "%s %s", words[v->time], clock);
	else if (v->order.interval_us % 1000000 == 0)
		snprintf(buf, room, "LIVE %s  %" PRIu64 " s", clock, v->order.interval_us / 1000000);
	else
		snprintf(buf, room, "LIVE %s  %s", clock,
			 text_span(every, (int64_t)v->order.interval_us));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void title_hub(char *buf, size_t room, const struct view *v, bool long_form)
{
	const struct state *st = &v->frame->st;
	char size[UNITS_TEXT];

	if (st->hubs == 0)
		snprintf(buf, room, "no hub");
	else if (st->hubs > 1)
		snprintf(buf, room, "%zu hubs", st->hubs);
	else if (long_form && st->hub[0].file_bytes)
		snprintf(buf, room, "hub %s (%s, layout %u)", st->hub[0].path,
			 units_bytes(size, st->hub[0].file_bytes), st->hub[0].file_version);
	else
		snprintf(buf, room, "hub %s", base_name(st->hub[0].path));
}

static void title_host(char *buf, size_t room, const struct view *v)
{
	const struct state *st = &v->frame->st;

	buf[0] = '\0';
	for (size_t i = 0; st->hubs == 1 && i < v->top->rows; i++) {
		const struct top_row *r = &v->top->row[i];

		if (r->key.hub && r->key.peer == 0 && r->status != TOP_GONE)
			snprintf(buf, room, "host %s %d%s", r->name, r->pid,
				 r->status == TOP_DEAD ? " DEAD" : "");
	}
}

static void title_count(char *buf, size_t room, const struct view *v)
{
	const struct state *st = &v->frame->st;

	if (st->hubs == 0)
		snprintf(buf, room, "%zu process%s", st->processes, st->processes == 1 ? "" : "es");
	else if (v->top->dead)
		snprintf(buf, room, "%zu peer%s, %zu dead", v->top->peers,
			 v->top->peers == 1 ? "" : "s", v->top->dead);
	else
		snprintf(buf, room, "%zu peer%s", v->top->peers, v->top->peers == 1 ? "" : "s");
}

/* Pieces stand three blanks apart, or two where all of them then fit; those that have no room are
   left out, the last ones first. */
static void draw_title(const struct view *v, struct canvas *c)
{
	char piece[5][300];
	int col = is_tiny(c) ? 0 : canvas_text(c, 0, 0, STYLE_TITLE, "shmtop") + 2;

	title_time(piece[0], sizeof(piece[0]), v, is_tiny(c));
	title_hub(piece[1], sizeof(piece[1]), v, is_wide(c) || v->batch);
	title_host(piece[2], sizeof(piece[2]), v);
	title_count(piece[3], sizeof(piece[3]), v);
	piece[4][0] = '\0';
	if (is_wide(c) && v->own_percent >= 0)
		snprintf(piece[4], sizeof(piece[4]), "own cost %.1f%%", v->own_percent);
	int room = c->cols - col + 3;
	for (unsigned i = 0; i < 5; i++)
		room -= piece[i][0] ? canvas_columns(piece[i], c->utf8) + 3 : 0;
	const int gap = room < 0 && room >= -4 ? 2 : 3;
	for (unsigned i = 0; i < 5; i++) {
		const int width = canvas_columns(piece[i], c->utf8);
		const bool is_past = i == 0 && v->time != VIEW_LIVE;

		if (!width || (col + width > c->cols && i > 1))
			continue;
		canvas_fit(c, 0, col, col + width > c->cols ? c->cols - col : width,
			   is_past ? STYLE_PAUSED : STYLE_TITLE, piece[i]);
		col += width + gap;
	}
}

/* ---- verdict and findings ---------------------------------------------------------------- */

static enum severity worst_confirmed(const struct findings *f)
{
	enum severity s = SEVERITY_CRITICAL;

	while (s < SEVERITIES && !f->confirmed[s])
		s++;
	return s;
}

static int verdict_start(const struct canvas *c)
{
	return is_wide(c) ? 12 : 3;
}

static int verdict_rows(const struct view *v, const struct canvas *c)
{
	const int rows = draw_wrapped(NULL, 0, 0, c->cols - verdict_start(c), is_tiny(c) ? 3 : 2,
				      STYLE_PLAIN, v->frame->findings.verdict);

	return v->batch || rows < 1 ? 1 : rows;
}

static void draw_verdict(const struct view *v, struct canvas *c, int row, int rows)
{
	const enum severity worst = worst_confirmed(&v->frame->findings);
	const enum style style = worst == SEVERITIES ? STYLE_GOOD : severity_style(worst);

	canvas_text(c, row, 0, style, severity_mark(worst));
	if (is_wide(c))
		canvas_text(c, row, 3, style, "VERDICT");
	draw_wrapped(c, row, verdict_start(c), c->cols - verdict_start(c), rows, style,
		     v->frame->findings.verdict);
}

static size_t count_open(const struct view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->findings; i++)
		n += v->finding[i]->state != FINDING_CLEARED;
	return n;
}

static const struct finding *first_cleared(const struct view *v)
{
	for (size_t i = 0; i < v->findings; i++)
		if (v->finding[i]->state == FINDING_CLEARED)
			return v->finding[i];
	return NULL;
}

static void draw_finding(const struct view *v, struct canvas *c, int row,
			 const struct finding *f)
{
	const enum style style = view_finding_style(f);
	const int end = v->batch ? c->cols : (is_wide(c) ? 118 : c->cols) - 2;
	char text[1024], place[128], held[UNITS_TEXT];

	text_span(held, (int64_t)f->held_us);
	int col = canvas_text(c, row, 0, style, view_mark(f)) + 1;
	col = canvas_printf(c, row, col, style, "F%u ", f->number);
	col = canvas_fit(c, row, col, 16, style, f->rule->name) + 1;
	if (is_wide(c)) {
		col = canvas_fit(c, row, col, 10, STYLE_PLAIN, finding_state_name(f->state));
		col = canvas_fit(c, row, col, v->batch ? 30 : 20, STYLE_PLAIN, f->place) + 1;
		snprintf(text, sizeof(text), "%s", f->brief);
	} else {
		snprintf(text, sizeof(text), "%s: %s", view_place(place, sizeof(place), f),
			 f->brief);
	}
	if (v->batch) {
		canvas_printf(c, row, col, STYLE_PLAIN, "%s   %s", text, held);
	} else {
		canvas_fit(c, row, col, end - (int)strlen(held) - 2 - col, STYLE_PLAIN, text);
		canvas_right(c, row, end, STYLE_PLAIN, held);
	}
}

static void draw_findings(const struct view *v, struct canvas *c, int row, int rows)
{
	for (size_t i = 0; i < v->findings && rows > 0; i++) {
		if (v->finding[i]->state == FINDING_CLEARED)
			continue;
		draw_finding(v, c, row++, v->finding[i]);
		rows--;
	}
}

static void draw_more(const struct view *v, struct canvas *c, int row, size_t shown)
{
	const struct findings *all = &v->frame->findings;
	const struct finding *cleared = first_cleared(v);
	const size_t open = count_open(v);
	char text[256], place[128];
	size_t n = 0;
	int col = 3;

	for (size_t i = 0; i < all->n; i++)
		n += all->list[i]->state == FINDING_CLEARED;
	if (open > shown)
		col = canvas_printf(c, row, col, STYLE_WARNING, "%zu more", open - shown) + 2;
	if (v->muted)
		col = canvas_printf(c, row, col, STYLE_DIM, "%zu muted", v->muted) + 2;
	if (cleared && is_wide(c))
		snprintf(text, sizeof(text), "%zu cleared in the last 10 min (%s %s%s)", n,
			 cleared->rule->name, view_place(place, sizeof(place), cleared),
			 cleared->times > 1 ? ", again and again" : "");
	else
		snprintf(text, sizeof(text), "%zu cleared", n);
	if (n)
		canvas_text(c, row, col, STYLE_DIM, text);
	if (v->batch)
		return;
	canvas_right(c, row, (is_wide(c) ? 120 : c->cols) - 3, STYLE_DIM,
		     is_wide(c) ? "all: 6   explain: x" : "more: 6  explain: x");
	canvas_target(c, row, c->cols - 23, 20, ACT_SCREEN, SCREEN_FINDINGS);
}

/* ---- peers ------------------------------------------------------------------------------- */

/* Signs at the left edge: the list goes on above, or below. */
static void draw_overflow(const struct view *v, struct canvas *c, int row, int rows)
{
	const size_t first = v->cursor->first, last = first + (size_t)rows - 1;

	if (rows <= 0 || v->batch)
		return;
	if (first > 0 && v->cursor->at != first)
		canvas_char(c, row, 0, STYLE_WARNING, '^');
	if (last + 1 < v->rows && v->cursor->at != last)
		canvas_char(c, row + rows - 1, 0, STYLE_WARNING, 'v');
}

static void draw_peers(const struct view *v, struct canvas *c, int row, int rows)
{
	const struct columns t = columns_make(v, c->cols);

	columns_head(&t, v, c, row);
	view_scroll(v->cursor, v->rows, rows);
	for (int i = 0; i < rows && v->cursor->first + (size_t)i < v->rows; i++) {
		const size_t at = v->cursor->first + (size_t)i;

		canvas_target(c, row + 1 + i, 0, c->cols, ACT_CHOOSE, (int)at);
		columns_row(&t, v, c, row + 1 + i, v->row[at]);
	}
	draw_overflow(v, c, row + 1, rows);
}

/* ---- slots ------------------------------------------------------------------------------- */

static int slots_rows(const struct state_hub *hub, bool wide)
{
	if (!hub)
		return 0;
	if (wide)
		return (int)hub->classes + 2;
	return ((int)hub->classes + 1 + SLOT_COLUMNS - 1) / SLOT_COLUMNS;
}

static void draw_class_cell(struct canvas *c, int row, int col, const struct top_class *k)
{
	/* half a column a slot, for classes that have only a few */
	const int bar = k->total >= 16 ? 8 : k->total < 4 ? 2 : (int)k->total / 2;
	char name[UNITS_TEXT], n[UNITS_TEXT];

	canvas_right(c, row, col + 3, STYLE_HEAD, units_class(name, k->bytes));
	const int after = draw_bar(c, row, col + 4, bar + 2, k->used, k->dead, k->total);
	canvas_right(c, row, after + (bar == 8 ? 5 : 4), STYLE_PLAIN,
		     text_short(n, (int64_t)k->used));
	col = canvas_printf(c, row, after + (bar == 8 ? 5 : 4), STYLE_PLAIN, "/%s",
			    text_short(n, (int64_t)k->total));
	if (k->dead)
		canvas_printf(c, row, col + 1, STYLE_DEAD, "X%s", text_short(n, (int64_t)k->dead));
}

static void draw_slots_narrow(const struct view *v, struct canvas *c, int row, int rows,
			      const struct state_hub *hub)
{
	char name[UNITS_TEXT], n[UNITS_TEXT];
	int first = 7;

	for (size_t i = 0; i < hub->classes && i < (size_t)rows; i++)
		if (strlen(units_class(name, hub->klass[i].bytes)) > 3)
			first = 8;
	canvas_text(c, row, 1, STYLE_HEAD, "SLOTS");
	for (size_t i = 0; i <= hub->classes; i++) {
		const int r = row + (int)i % rows, col = first + (int)i / rows * SLOT_CELL;

		if (i < hub->classes) {
			const struct top_class k =
				top_class_of(hub, &hub->klass[i], v->frame->st.now_us);

			draw_class_cell(c, r, col, &k);
			continue;
		}
		canvas_text(c, r, col, STYLE_HEAD, "calls");
		canvas_right(c, r, col + 10, STYLE_PLAIN, text_number(n, hub->calls_pending));
		canvas_printf(c, r, col + 10, STYLE_PLAIN, "/%u", hub->calls_max);
	}
}

static void draw_class_row(struct canvas *c, int row, const struct state_hub *hub,
			   const struct top_class *k)
{
	char n[UNITS_TEXT], text[80];

	canvas_right(c, row, 12, STYLE_PLAIN, units_class(n, k->bytes));
	canvas_right(c, row, 19, STYLE_PLAIN, text_number(n, (int64_t)k->used));
	canvas_printf(c, row, 19, STYLE_PLAIN, "/%" PRIu64, k->total);
	canvas_right(c, row, 32, STYLE_PLAIN, text_number(n, (int64_t)k->free));
	canvas_right(c, row, 39, STYLE_PLAIN, text_number(n, (int64_t)k->allocated));
	canvas_right(c, row, 47, STYLE_PLAIN, text_number(n, (int64_t)k->in_flight));
	canvas_right(c, row, 53, STYLE_PLAIN, text_number(n, (int64_t)k->held));
	canvas_right(c, row, 60, k->dead ? STYLE_DEAD : STYLE_PLAIN,
		     text_number(n, (int64_t)k->dead));
	if (k->dead)
		canvas_char(c, row, 61, STYLE_DEAD, 'X');
	draw_bar(c, row, 64, 18, k->used, k->dead, k->total);
	canvas_right(c, row, 92, STYLE_PLAIN, text_span(n, k->oldest_us));
	if (k->owner < 0)
		return;
	snprintf(text, sizeof(text), "%s(%d) %" PRIu64, top_owner_name(hub, (uint32_t)k->owner),
		 k->owner, k->owner_slots);
	canvas_text(c, row, 95, STYLE_PLAIN, text);
}

static bool is_notable(const struct top_class *k)
{
	return k->used * 5 >= k->total || k->dead || k->bad;
}

static int64_t oldest_call_us(const struct state_hub *hub, uint64_t now_us)
{
	int64_t oldest = -1;

	for (size_t i = 0; i < hub->calls; i++) {
		const struct state_call *call = &hub->call[i];

		if (call->by == 0 && call->call_state == HUB_CALL_PENDING && call->started_us &&
		    call->started_us <= now_us && (int64_t)(now_us - call->started_us) > oldest)
			oldest = (int64_t)(now_us - call->started_us);
	}
	return oldest;
}

static void draw_slots_wide(const struct view *v, struct canvas *c, int row, int rows,
			    const struct state_hub *hub)
{
	const uint64_t now_us = v->frame->st.now_us;
	const int last = row + rows - 1;
	const bool all = rows >= slots_rows(hub, true);
	char oldest[UNITS_TEXT];
	size_t left = 0;

	canvas_text(c, row, 1, STYLE_HEAD,
		    "SLOTS class   used/total   free  alloc  flight  held   dead    use         "
		    "          oldest   largest owner");
	for (size_t i = 0; i < hub->classes; i++) {
		const struct top_class k = top_class_of(hub, &hub->klass[i], now_us);

		if (row + 1 < last && (all || is_notable(&k)))
			draw_class_row(c, ++row, hub, &k);
		else
			left++;
	}
	if (left)
		canvas_printf(c, row + 1, 8, STYLE_DIM, "(%zu more class%s: press 3)", left,
			      left == 1 ? "" : "es");
	canvas_printf(c, row + 1, 82, STYLE_PLAIN, "calls pending %u/%u   oldest %s",
		      hub->calls_pending, hub->calls_max,
		      text_span(oldest, oldest_call_us(hub, now_us)));
}

/* ---- memory ------------------------------------------------------------------------------ */

static int memory_name_width(const struct view *v)
{
	int width = MEMORY_NAME;

	for (size_t i = 0; v->batch && i < v->memory->n; i++)
		if (canvas_columns(v->memory->series[i].row->name, true) > width)
			width = canvas_columns(v->memory->series[i].row->name, true);
	return width;
}

static void draw_memory(const struct view *v, struct canvas *c, int row, int rows)
{
	const struct top_memory *list = v->memory;
	const int name = memory_name_width(v);

	canvas_text(c, row, 1, STYLE_HEAD, "MEMORY");
	for (int i = 0; i < rows && (size_t)i < list->n; i++) {
		const struct top_series *s = &list->series[i];
		char n[UNITS_TEXT], low[UNITS_TEXT], high[UNITS_TEXT];

		int col = canvas_fit(c, row + i, 8, name, STYLE_PLAIN, s->row->name) + 1;
		canvas_right(c, row + i, col + 5, STYLE_PLAIN, text_bytes(n, s->row->rss_bytes));
		col = draw_spark(c, row + i, col + 7, 20, s->value, s->n);
		if (s->high > s->low)
			canvas_printf(c, row + i, col + 1, STYLE_DIM, "%s..%s",
				      text_bytes(low, s->low), text_bytes(high, s->high));
		col += 13;
		canvas_printf(c, row + i, col, STYLE_PLAIN, "fds %3s", text_number(n, s->row->fds));
		if (s->row->threads >= 0)
			canvas_printf(c, row + i, col + 9, STYLE_PLAIN, "threads %3s",
				      text_number(n, s->row->threads));
	}
}

/* ---- the selected row -------------------------------------------------------------------- */

static void detail_ring(const struct view *v, struct canvas *c, int row, const struct top_row *r)
{
	const struct top_ring *ring = &r->ring[HUB_RECV];
	const struct state_thread *t = view_loop_thread(r);
	char n[4][UNITS_TEXT], stack[FRAME_STACK_NAME], text[300];
	int col;

	if (ring->damage) {
		canvas_printf(c, row, 2, STYLE_CRITICAL, "recv ring  %s", ring->damage);
		return;
	}
	col = canvas_printf(c, row, 2, STYLE_PLAIN,
			    "recv ring  written %s   read %s   waiting %s   oldest %s",
			    text_number(n[0], ring->written), text_number(n[1], ring->read),
			    text_number(n[2], ring->waiting), text_span(n[3], ring->oldest_us)) + 3;
	if (!t)
		return;
	snprintf(text, sizeof(text), "tid %d (%s) %s%s", t->tid,
		 frame_stack_name(stack, v->frame, t->stack), t->wait_text ? "sleeps in " : "",
		 view_wait_text(t));
	canvas_fit(c, row, col, c->cols - col, STYLE_PLAIN, text);
}

static void detail_bell(const struct view *v, struct canvas *c, int row, const struct top_row *r)
{
	const struct state_ring *ring = &r->peer->ring[HUB_RECV];
	char n[UNITS_TEXT], clock[UNITS_TEXT];
	int col = canvas_printf(c, row, 2, STYLE_PLAIN, "bell       %s bytes pending at %s",
				text_number(n, r->ring[HUB_RECV].bell), r->name);

	if (ring->damage || !ring->bells)
		return;
	canvas_printf(c, row, col, STYLE_PLAIN,
		      "; rung %s times, last at %s after descriptor %" PRIu64,
		      units_count(n, ring->bells),
		      text_clock(clock, ring->bell_us, v->frame->st.real_offset_us, true),
		      ring->bell_head);
}

static void detail_stack(const struct view *v, struct canvas *c, int row, const struct top_row *r)
{
	const struct state_thread *t = view_loop_thread(r);
	const struct state *st = &v->frame->st;
	char text[400], age[UNITS_TEXT], name[FRAME_STACK_NAME];

	if (!t || t->stack < 0 || (size_t)t->stack >= st->stacks) {
		canvas_printf(c, row, 2, STYLE_DIM, "stack      not captured%s%s (d: how to)",
			      t && t->reason ? ": " : "", t && t->reason ? t->reason : "");
		return;
	}
	age[0] = '\0';
	if (r->process->dump_us && r->process->dump_us <= st->now_us)
		text_span(age, (int64_t)(st->now_us - r->process->dump_us));
	const int end = c->cols - (age[0] ? (int)strlen(age) + 7 : 0);
	const int col = canvas_printf(c, row, 2, STYLE_PLAIN, "stack %-4s ",
				      frame_stack_name(name, v->frame, t->stack));
	canvas_fit(c, row, col, end - col, STYLE_PLAIN,
		   view_stack_text(text, sizeof(text), &st->stack[t->stack], 5));
	if (age[0])
		canvas_printf(c, row, end, STYLE_DIM, " (%s old)", age);
}

static void draw_detail(const struct view *v, struct canvas *c, int row)
{
	const struct top_row *r = v->chosen;
	char text[160];

	snprintf(text, sizeof(text), "%s%s pid %d", r->name, "", r->pid);
	if (r->key.hub)
		snprintf(text, sizeof(text), "%s(%u) pid %d", r->name, r->key.peer, r->pid);
	draw_rule(c, row, text);
	if (r->peer && r->ring[HUB_RECV].is_there) {
		detail_ring(v, c, row + 1, r);
		detail_bell(v, c, row + 2, r);
	}
	detail_stack(v, c, row + 3, r);
	if (!v->chosen_finding || !v->chosen_finding->next[0])
		return;
	canvas_text(c, row + 4, 2, STYLE_PLAIN, "next");
	draw_wrapped(c, row + 4, 13, c->cols - 14, 2, STYLE_PLAIN, v->chosen_finding->next[0]);
}

/* ---- the screen -------------------------------------------------------------------------- */

static struct plan make_plan(const struct view *v, const struct canvas *c, int rows,
			     size_t memory)
{
	const size_t open = count_open(v);
	const struct state_hub *hub = view_chosen_hub(v);
	const bool detail = is_wide(c) && rows >= 34 && v->chosen && !v->batch;
	const int most = is_tiny(c) ? 0 : is_wide(c) ? 5 : 3;
	const int slots = slots_rows(hub, is_wide(c));
	const struct plan_wants w = {
		.verdict = verdict_rows(v, c),
		.findings = v->batch || open < (size_t)most ? (int)open : most,
		.more = most && (v->findings > 0 || v->muted > 0),
		.peers = v->rows ? (int)v->rows : 1,
		.slots = slots,
		.slots_least = is_wide(c) && slots > 4 ? 4 : slots,
		.memory = memory > MEMORY_ROWS ? MEMORY_ROWS : (int)memory,
		.detail = detail ? DETAIL_ROWS : 0,
	};

	return plan_make(v->batch ? c->rows : rows - 1, &w);
}

static void draw(const struct view *v, struct canvas *c, int rows)
{
	const struct state_hub *hub = view_chosen_hub(v);
	const struct plan p = make_plan(v, c, rows, v->memory->n);
	int row = 1;

	draw_title(v, c);
	draw_verdict(v, c, row, p.verdict);
	row += p.verdict;
	draw_findings(v, c, row, p.findings);
	row += p.findings;
	if (p.more)
		draw_more(v, c, row, (size_t)p.findings);
	row += p.more;
	draw_peers(v, c, row, p.peers);
	row += 1 + p.peers;
	if (p.slots) {
		row += p.gap;
		if (is_wide(c))
			draw_slots_wide(v, c, row, p.slots, hub);
		else
			draw_slots_narrow(v, c, row, p.slots, hub);
		row += p.slots;
	}
	if (p.memory) {
		row += p.gap;
		draw_memory(v, c, row, p.memory);
		row += p.memory;
	}
	if (p.detail)
		draw_detail(v, c, row);
}

static const char *const help[] = {
	"BELL   bytes unread in the doorbell socket; `!` = should not be 0 (or should)",
	"W      consumer said it goes to sleep    CALLS  calls it has not answered yet",
	" ~     older than 2 intervals              -    not known (never shown as 0)",
	"STATE  run  ASLEEP (has work, waits in kernel)  STALL (runs, reads nothing)",
	"       DEAD  GONE (reclaimed)  STOP (by a signal)  BAD (wrote nonsense)",
	"BEAT   seconds since its loop went to sleep or into a handler",
	"RING   [###.....] waiting of capacity; press 2 for written, read, age",
	NULL,
};

const struct view_ops view_overview = { .screen = SCREEN_OVERVIEW,
					.name = "overview",
					.tab = "Over",
					.items = items,
					.draw = draw,
					.text = view_row_text,
					.help = help };
