#include "shmtop/overlay.h"

#include <stdio.h>
#include <string.h>

#include "shmtop/draw.h"

/* A page grows downwards on a canvas of its own; a part of it is then shown. */
struct page {
	struct canvas canvas;
	int rows;
};

static void add(struct page *p, int col, enum style style, const char *text)
{
	p->rows += draw_wrapped(&p->canvas, p->rows, col, p->canvas.cols - col - 1,
				OVERLAY_LINES - p->rows, style, text);
}

static void add_blank(struct page *p)
{
	p->rows += p->rows < OVERLAY_LINES;
}

/* ---- help -------------------------------------------------------------------------------- */

/* "j, Down next row   k, Up previous row ...": the keys of a group that are valid here. */
static void group_text(char *buf, size_t room, const struct ui *ui, const char *group)
{
	size_t n, used = 0;
	const struct key *key = keys_all(&n);

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < room; i++)
		if (strcmp(key[i].group, group) == 0 && (key[i].screens & (1u << ui->screen)))
			used += (size_t)snprintf(buf + used, room - used, "%s%s %s",
						 used ? "   " : "", key[i].shown, key[i].words);
}

static void add_help(struct page *p, const struct ui *ui)
{
	static const char hint[] = "every line here also in man shmtop";
	const struct view_ops *ops = view_of(ui->screen);
	const char *group = "";
	char text[2000];
	size_t n;
	const struct key *key = keys_all(&n);

	snprintf(text, sizeof(text), "HELP %s", ops->name);
	const int col = canvas_text(&p->canvas, 0, 0, STYLE_TITLE, text);
	if (col + (int)sizeof(hint) < p->canvas.cols)
		canvas_right(&p->canvas, 0, p->canvas.cols, STYLE_DIM, hint);
	p->rows = 1;
	for (size_t i = 0; ops->help && ops->help[i]; i++)
		add(p, 1, STYLE_PLAIN, ops->help[i]);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(group, key[i].group) == 0)
			continue;
		group = key[i].group;
		group_text(text, sizeof(text), ui, group);
		canvas_text(&p->canvas, p->rows, 1, STYLE_HEAD, group);
		add(p, 7, STYLE_PLAIN, text);
	}
	canvas_text(&p->canvas, p->rows, 1, STYLE_HEAD, "Here");
	add(p, 7, STYLE_PLAIN,
	    "j k scroll   / search   W save colors, ASCII, mouse   other keys close");
}

/* ---- explanation ------------------------------------------------------------------------- */

static void add_part(struct page *p, const char *name, const char *text)
{
	if (!text)
		return;
	add_blank(p);
	add(p, 1, STYLE_HEAD, name);
	add(p, 3, STYLE_PLAIN, text);
}

static void add_explanation(struct page *p, const struct finding *f)
{
	const struct rule *r = f->rule;
	char title[200], held[UNITS_TEXT];

	snprintf(title, sizeof(title), "F%u %s   %s, %s for %s", f->number, r->name,
		 severity_name(r->severity), finding_state_name(f->state),
		 text_span(held, (int64_t)f->held_us));
	canvas_text(&p->canvas, 0, 0, STYLE_TITLE, title);
	p->rows = 1;
	add(p, 1, view_finding_style(f), f->place);
	add(p, 1, STYLE_PLAIN, f->sentence);
	add_part(p, "EVIDENCE", f->evidence_text ? f->evidence_text : f->brief);
	add_part(p, "WHAT IT IS", r->summary ? r->summary : r->means);
	add_part(p, "HOW IT IS DETECTED", r->detection);
	add_part(p, "WHAT USUALLY CAUSES IT", r->causes);
	add_part(p, "HOW TO FIX IT", r->fix);
	add_part(p, "WHAT IT IS MISTAKEN FOR", r->confused_with);
	if (f->next[0])
		add_part(p, "NEXT", f->next[0]);
	for (unsigned i = 1; i < FINDING_NEXT && f->next[i]; i++)
		add(p, 3, STYLE_PLAIN, f->next[i]);
}

/* ---- the question before a dump ----------------------------------------------------------- */

/* "9 threads: 8 blocked ones are only read, 1 running one is interrupted ..." */
static void add_what_it_does(struct page *p, const struct state_process *process)
{
	size_t running = 0, n = process ? process->threads : 0;
	char text[200];

	for (size_t i = 0; i < n; i++)
		running += process->thread[i].state == 'R';
	if (!n)
		add(p, 1, STYLE_PLAIN, "Blocked threads are only read, running ones are interrupted for "
				       "some microseconds.");
	else if (!running)
		add(p, 1, STYLE_PLAIN, n == 1 ? "1 thread: it is blocked and only read."
					      : "All of its threads are blocked and only read.");
	else {
		snprintf(text, sizeof(text), "%zu thread%s: %zu blocked %s only read, %zu running %s "
			 "interrupted for some microseconds.", n, n == 1 ? "" : "s", n - running,
			 n - running == 1 ? "one is" : "ones are", running, running == 1 ? "one is" : "ones are");
		add(p, 1, STYLE_PLAIN, text);
	}
	if (process && !process->library)
		add(p, 1, STYLE_PLAIN,
		    "The library is not loaded in it: it is looked at from outside, no signal is sent.");
}

static const char *why_no_dump(const struct ui *ui)
{
	if (top_has_ended(ui->view.chosen))
		return "It has ended: there is nothing left to dump. What it last did stands in its feed.";
	if (ui->session->is_replay)
		return "This is a replay: what is shown here is past. A dump is of a process that lives.";
	return "shmtop runs with --read-only: nothing may be perturbed. This only reads what is "
	       "blocked, from another terminal:";
}

static void add_dump(struct page *p, const struct ui *ui)
{
	const struct top_row *r = ui->view.chosen;
	const bool may = ui_may_dump(ui);
	char text[300];

	snprintf(text, sizeof(text), "DUMP %s (%d)%s", r->name, r->pid, may ? "?   y/N" : "");
	canvas_text(&p->canvas, 0, 0, STYLE_TITLE, text);
	p->rows = 2;
	if (!may) {
		add(p, 1, STYLE_PLAIN, why_no_dump(ui));
		if (top_has_ended(r) || ui->session->is_replay)
			return;
	} else {
		add_what_it_does(p, r->process);
		add(p, 1, STYLE_PLAIN, "The text goes to a file; its path is said. This is what y does:");
	}
	add_blank(p);
	snprintf(text, sizeof(text), "sigdump dump %s-p %d", may ? "" : "--read-only ", r->pid);
	add(p, 3, STYLE_KEY, text);
}

/* ---- who waits for whom ------------------------------------------------------------------ */

static void add_line(void *page, int col, enum style style, const char *text)
{
	add(page, col, style, text);
}

static void add_waits(struct page *p, const struct ui *ui)
{
	const struct top_row *r = ui->view.chosen;
	char title[300];

	snprintf(title, sizeof(title), "WHO WAITS FOR WHOM   %s %d", r->name, r->pid);
	canvas_text(&p->canvas, 0, 0, STYLE_TITLE, title);
	p->rows = 1;
	if (r->process)
		overlay_waits(&ui->view.frame->st, r->process, add_line, p);
	else
		add(p, 1, STYLE_PLAIN, "Its threads were not looked at.");
}

/* ---- sort menu --------------------------------------------------------------------------- */

static void draw_sort_menu(struct ui *ui, struct canvas *c, int rows)
{
	const int width = 24, left = c->cols > width ? (c->cols - width) / 2 : 0;
	const int visible = TOP_SORTS < rows - 2 ? TOP_SORTS : rows - 2;
	const int top = (rows - visible - 2) / 2;

	view_scroll(&ui->menu, TOP_SORTS, visible);
	for (int i = -1; i <= visible; i++)
		canvas_printf(c, top + 1 + i, left, STYLE_PLAIN, "%*s", width, "");
	canvas_text(c, top, left + 1, STYLE_HEAD, "SORT BY");
	for (int i = 0; i < visible; i++) {
		const size_t at = ui->menu.first + (size_t)i;
		const bool is_chosen = at == ui->menu.at;

		canvas_printf(c, top + 1 + i, left + 1,
			      is_chosen ? STYLE_CHOSEN : STYLE_PLAIN, "%c %s%s",
			      is_chosen ? '>' : ' ', top_sort_name((enum top_sort)at),
			      at == ui->view.order.sort ? "  (now)" : "");
		canvas_target(c, top + 1 + i, left, width, ACT_SORT, (int)at);
	}
	canvas_text(c, top + 1 + visible, left + 1, STYLE_DIM, "j k Enter Esc");
}

/* ---- drawing ----------------------------------------------------------------------------- */

static bool has_text(const struct canvas *c, int row, const char *text)
{
	char line[512];
	int n = 0;

	/* what is searched for is ASCII: other characters need only not match */
	for (int col = 0; col < c->cols && n < (int)sizeof(line) - 1; col++) {
		const uint32_t ch = c->cell[(size_t)row * (size_t)c->cols + (size_t)col].ch;

		line[n++] = ch && ch < 0x7f ? (char)ch : '\x7f';
	}
	line[n] = '\0';
	return strcasestr(line, text) != NULL;
}

/* The next line with the text comes to the top; from the end it goes on at the beginning. */
static void search_page(struct ui *ui, const struct page *p)
{
	ui->overlay_search = false;
	for (int i = 1; i <= p->rows; i++) {
		const int row = (ui->overlay_first + i) % p->rows;

		if (has_text(&p->canvas, row, ui->search)) {
			ui->overlay_first = row;
			return;
		}
	}
	ui_say(ui, "not found here: %s", ui->search);
}

static void clamp_first(struct ui *ui, int last)
{
	if (ui->overlay_first > last)
		ui->overlay_first = last;
	if (ui->overlay_first < 0)
		ui->overlay_first = 0;
}

static void show_page(struct ui *ui, const struct page *p, struct canvas *c, int rows)
{
	const int last = p->rows > rows ? p->rows - rows : 0;

	/* keys may have come faster than screens */
	clamp_first(ui, p->rows - 1);
	if (ui->overlay_search)
		search_page(ui, p);
	clamp_first(ui, last);
	for (int r = 0; r < rows; r++) {
		const struct canvas_cell *from =
			&p->canvas.cell[(size_t)(r + ui->overlay_first) * (size_t)c->cols];

		memcpy(&c->cell[(size_t)r * (size_t)c->cols], from,
		       (size_t)c->cols * sizeof(*from));
	}
	c->targets = 0;
	if (ui->overlay_first < last && rows > 0)
		canvas_right(c, rows - 1, c->cols, STYLE_DIM, " (more: j)");
}

void overlay_draw(struct ui *ui, struct canvas *c, int rows)
{
	struct page p = { .rows = 0 };

	if (ui->overlay == OVERLAY_SORT) {
		draw_sort_menu(ui, c, rows);
		return;
	}
	/* as many blank lines below as a screen may show after the last one */
	if (canvas_init(&p.canvas, OVERLAY_LINES + c->rows, c->cols, c->utf8))
		return;
	if (ui->overlay == OVERLAY_HELP)
		add_help(&p, ui);
	else if (ui->overlay == OVERLAY_EXPLAIN && ui->view.chosen_finding)
		add_explanation(&p, ui->view.chosen_finding);
	else if (ui->overlay == OVERLAY_DUMP && ui->view.chosen)
		add_dump(&p, ui);
	else if (ui->overlay == OVERLAY_WAITS && ui->view.chosen)
		add_waits(&p, ui);
	else
		ui->overlay = OVERLAY_NONE;
	if (ui->overlay)
		show_page(ui, &p, c, rows);
	canvas_fini(&p.canvas);
}
