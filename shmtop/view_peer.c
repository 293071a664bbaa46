/* Screen 2: one peer: its rings (written, read, waiting first), what it waits for, its threads. */
#include "shmtop/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shmtop/draw.h"
#include "shmtop/top_threads.h"

enum { NEXT_ROWS = 2 };

static const char *const kind_words[] = {
	[HUB_KIND_NONE] = "-",       [HUB_KIND_CALL] = "call",     [HUB_KIND_REPLY] = "reply",
	[HUB_KIND_NOTIFY] = "msg",   [HUB_KIND_CANCEL] = "cancel", [HUB_KIND_BODY] = "body",
	[HUB_KIND_CREDIT] = "credit", [HUB_KIND_LEAVE] = "leave",
};

static size_t items(const struct view *v)
{
	return v->rows; /* j and k walk through the peers */
}

static void draw_title(const struct view *v, struct canvas *c)
{
	const struct top_row *r = v->chosen;
	char held[UNITS_TEXT], beat[UNITS_TEXT];
	int col;

	if (r->key.hub)
		col = canvas_printf(c, 0, 0, STYLE_TITLE, "PEER %u %s  pid %d  ", r->key.peer,
				    r->name, r->pid);
	else
		col = canvas_printf(c, 0, 0, STYLE_TITLE, "PROCESS %s  pid %d  ", r->name, r->pid);
	col = canvas_text(c, 0, col, STYLE_TITLE, top_status_word(r->status));
	if (r->status_us >= 0)
		col = canvas_printf(c, 0, col, STYLE_TITLE, " %s", text_span(held, r->status_us));
	if (r->beat_us >= 0)
		col = canvas_printf(c, 0, col, STYLE_PLAIN, "  beat %s",
				    text_span(beat, r->beat_us));
	col = canvas_printf(c, 0, col, STYLE_PLAIN, "  %s", r->hub_name);
	view_title_finding(v, c, col);
}

static void ring_line(struct canvas *c, int row, const char *name, const struct top_ring *ring,
		      const struct state_ring *raw, bool is_wide)
{
	const enum state_answer flag = ring->flag;
	char n[UNITS_TEXT], bell[UNITS_TEXT];
	int col = canvas_text(c, row, 1, STYLE_HEAD, name) + 1;

	if (ring->damage) {
		canvas_printf(c, row, col, STYLE_CRITICAL, "damaged: %s", ring->damage);
		return;
	}
	col = draw_bar(c, row, col, 10, (uint64_t)ring->waiting, 0, (uint64_t)ring->capacity);
	canvas_right(c, row, col + 4, STYLE_PLAIN, text_number(n, ring->waiting));
	col = canvas_printf(c, row, col + 4, STYLE_PLAIN, "/%" PRId64 "  waiting flag %s   bell %s",
			    ring->capacity,
			    flag == STATE_UNKNOWN ? "-" : flag ? "1" : "0",
			    text_number(bell, ring->bell));
	if (ring->bell >= 0)
		col = canvas_text(c, row, col, STYLE_PLAIN, " B");
	if (ring->bell_odd)
		canvas_text(c, row, col, STYLE_CRITICAL, "  !!");
	if (is_wide)
		canvas_printf(c, row, 70, STYLE_PLAIN,
			      "%" PRIu64 " bells  %" PRIu64 " sleeps  %" PRIu64 " full waits",
			      raw->bells, raw->sleeps, raw->full_waits);
}

static void ring_figures(struct canvas *c, int row, const struct top_ring *ring,
			 const struct state_ring *raw, const char *writer, const char *reader,
			 bool is_wide)
{
	char n[UNITS_TEXT], head[UNITS_TEXT + 1] = "", tail[UNITS_TEXT + 1] = "";

	if (ring->damage)
		return;
	if (is_wide) {
		snprintf(head, sizeof(head), " %" PRIu64, raw->head);
		snprintf(tail, sizeof(tail), " %" PRIu64, raw->tail);
	}
	canvas_printf(c, row, 3, STYLE_PLAIN,
		      "written %" PRId64 " (head%s, %s moves)   read %" PRId64
		      " (tail%s, %s moves)   oldest %s",
		      ring->written, head, writer, ring->read, tail, reader,
		      text_span(n, ring->oldest_us));
}

static void descriptor_line(const struct state_hub *hub, struct canvas *c, int row, uint64_t number,
			    const struct state_message *m, uint64_t now_us, bool is_last)
{
	char call[UNITS_TEXT] = "-", size[UNITS_TEXT] = "-", slot[UNITS_TEXT] = "-";
	char age[UNITS_TEXT];
	const char *kind = "?";

	if (m->kind < sizeof(kind_words) / sizeof(*kind_words))
		kind = kind_words[m->kind];
	if (m->call)
		text_number(call, m->call & 0xffff);
	if (m->slot != HUB_NO_SLOT) {
		const uint32_t klass = HUB_SLOT_REF_CLASS(m->slot);

		if (klass < hub->classes)
			units_class(size, hub->klass[klass].bytes);
		text_number(slot, HUB_SLOT_REF_INDEX(m->slot));
	}
	text_span(age, m->time_us && m->time_us <= now_us ? (int64_t)(now_us - m->time_us) : -1);
	canvas_printf(c, row, 23, STYLE_PLAIN,
		      "%c %5" PRIu64 "  %-6s%5s%6s%7s%7u  waiting%8s", is_last ? '>' : ' ',
		      number, kind, call, size, slot, m->len, age);
}

/* The oldest and the newest that wait: the file tells no more about those in between. */
static int draw_descriptors(const struct view *v, struct canvas *c, int row,
			    const struct top_row *r, unsigned ring)
{
	const struct state_ring *raw = &r->peer->ring[ring];
	const uint64_t now_us = v->frame->st.now_us;

	canvas_printf(c, row, 1, STYLE_HEAD,
		      "LAST DESCRIPTORS (%s)   seq  kind   call  class  slot  bytes  state      age",
		      ring == HUB_RECV ? "recv" : "send");
	if (raw->damage || !raw->waiting || !raw->oldest.is_there) {
		canvas_text(c, row + 1, 25, STYLE_DIM, "none waiting");
		return row + 2;
	}
	if (raw->waiting > 1 && raw->newest.is_there)
		descriptor_line(r->hub, c, ++row, raw->written - 1, &raw->newest, now_us, true);
	if (raw->waiting > 2)
		canvas_printf(c, ++row, 25, STYLE_DIM, "... %" PRIu64 " between", raw->waiting - 2);
	descriptor_line(r->hub, c, ++row, raw->read, &raw->oldest, now_us, raw->waiting == 1);
	return row + 1;
}

static void draw_wait(struct canvas *c, int row, const struct top_row *r)
{
	const struct state_thread *t = view_loop_thread(r);

	canvas_text(c, row, 1, STYLE_HEAD, "WAIT STATE");
	if (!t) {
		canvas_text(c, row, 15, STYLE_DIM, "- (its threads were not seen)");
		return;
	}
	canvas_printf(c, row, 15, STYLE_PLAIN, "tid %d %s  %s", t->tid, t->name ? t->name : "",
		      view_wait_text(t));
}

static void draw_threads(const struct view *v, struct canvas *c, int row, int rows,
			 const struct top_row *r)
{
	const struct state *st = &v->frame->st;
	struct top_threads list;
	char text[400], age[UNITS_TEXT];

	canvas_text(c, row, 1, STYLE_HEAD, "THREADS");
	if (!r->process || !r->process->threads) {
		canvas_text(c, row, 15, STYLE_DIM, "- (not captured; d: how to)");
		return;
	}
	if (top_threads_make(&list, v->frame, r->process, false))
		return;
	int col = canvas_printf(c, row, 15, STYLE_PLAIN, "%zu in %zu stack%s", r->process->threads,
				list.stacks, list.stacks == 1 ? "" : "s");
	if (r->process->dump_us && r->process->dump_us <= st->now_us)
		canvas_printf(c, row, col, STYLE_PLAIN, " (dump %s old)",
			      text_span(age, (int64_t)(st->now_us - r->process->dump_us)));
	for (size_t i = 0; i < list.n && (int)i < rows - 1; i++) {
		const struct top_group *g = &list.group[i];

		col = canvas_printf(c, row + 1 + (int)i, 3, STYLE_PLAIN, "%-3s %2u  ", g->id,
				    g->count);
		col = canvas_fit(c, row + 1 + (int)i, col, 10, STYLE_PLAIN, g->name) + 1;
		if (g->stack >= 0)
			view_stack_text(text, sizeof(text), &st->stack[g->stack], 3);
		else
			snprintf(text, sizeof(text), "%s", g->reason ? g->reason : "no stack");
		canvas_fit(c, row + 1 + (int)i, col, c->cols - col, STYLE_PLAIN, text);
	}
	top_threads_fini(&list);
}

static int draw_rings(const struct view *v, struct canvas *c, int row, const struct top_row *r)
{
	const bool is_wide = c->cols >= 120;
	const struct top_ring *recv = &r->ring[HUB_RECV], *send = &r->ring[HUB_SEND];
	const struct state_ring *raw = r->peer->ring;

	ring_line(c, row, "RECV host>peer", recv, &raw[HUB_RECV], is_wide);
	ring_figures(c, row + 1, recv, &raw[HUB_RECV], "host", "peer", is_wide);
	ring_line(c, row + 2, "SEND peer>host", send, &raw[HUB_SEND], is_wide);
	ring_figures(c, row + 3, send, &raw[HUB_SEND], "peer", "host", is_wide);
	row = draw_descriptors(v, c, row + 4, r, HUB_RECV);
	return send->waiting > 0 ? draw_descriptors(v, c, row, r, HUB_SEND) : row;
}

static void draw(const struct view *v, struct canvas *c, int rows)
{
	const struct top_row *r = v->chosen;
	const bool has_next = v->chosen_finding && v->chosen_finding->next[0];
	int row = 1;

	if (!r) {
		view_nothing(c, rows / 2, "no peer");
		return;
	}
	draw_title(v, c);
	if (r->status == TOP_GONE && !r->peer) {
		view_nothing(c, rows / 2, "it is gone; what it was is in the samples before ([)");
		return;
	}
	if (r->peer && r->ring[HUB_RECV].is_there)
		row = draw_rings(v, c, row, r);
	draw_wait(c, row++, r);
	draw_threads(v, c, row, rows - row - (has_next ? NEXT_ROWS : 0), r);
	if (has_next) {
		for (int i = 0; i < NEXT_ROWS; i++)
			canvas_printf(c, rows - NEXT_ROWS + i, 0, STYLE_PLAIN, "%*s", c->cols, "");
		canvas_text(c, rows - NEXT_ROWS, 1, STYLE_HEAD, "NEXT");
		draw_wrapped(c, rows - NEXT_ROWS, 7, c->cols - 8, NEXT_ROWS, STYLE_PLAIN,
			     v->chosen_finding->next[0]);
	}
}

static const char *const help[] = {
	"RING   written, read, waiting count messages; head and tail count descriptors",
	"       and are moved by the writer and by the reader",
	"FLAG   1: the reader said that it goes to sleep and wants to be rung",
	"BELL   bytes unread in its doorbell socket; !! = it sleeps although there is work",
	"SEQ    number of the message in its ring; > the newest; the oldest stands last",
	"THREADS  one line per stack, most threads first (5: all of it)",
	NULL,
};

const struct view_ops view_peer = { .screen = SCREEN_PEER,
				    .name = "peer",
				    .tab = "Peer",
				    .items = items,
				    .draw = draw,
				    .text = view_row_text,
				    .help = help };
