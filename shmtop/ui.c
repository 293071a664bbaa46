#include "shmtop/ui.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"
#include "shmtop/columns.h"
#include "shmtop/top_slots.h"

enum { LEAP = 60 };

void ui_say(struct ui *ui, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ui->message, sizeof(ui->message), fmt, ap);
	va_end(ap);
}

bool ui_is_utf8(const struct ui *ui)
{
	return ui->can_utf8 && !ui->ascii;
}

bool ui_may_dump(const struct ui *ui)
{
	const struct top_row *r = ui->view.chosen;

	return r && r->pid > 0 && !top_has_ended(r) && !ui->session->is_replay && !ui->read_only;
}

void ui_init(struct ui *ui, struct session *session, int rows, int cols)
{
	*ui = (struct ui){ .session = session, .screen = SCREEN_OVERVIEW, .rows = rows,
			   .cols = cols };
	top_init(&ui->top);
	ui->view = (struct view){ .top = &ui->top, .memory = &ui->memory, .filter = ui->filter_text,
				  .own_percent = -1 };
	ui->view.order.interval_us = session->is_replay ? 0 : session->options.interval_us;
}

void ui_fini(struct ui *ui)
{
	top_fini(&ui->top);
	free(ui->row);
	free(ui->finding);
	free(ui->slot);
	ui->slot = NULL;
	ui->row = NULL;
	ui->finding = NULL;
}

/* ---- what is visible --------------------------------------------------------------------- */

const char *const ui_fields[] = { "name", "peer", "pid", "hub", "state", "recv", "send", "bell",
				  "calls", "slots", "rss", "fds", NULL };

static struct filter_value number_value(int64_t n)
{
	return (struct filter_value){ .number = n, .is_known = n >= 0 };
}

static struct filter_value text_value(const char *text)
{
	return (struct filter_value){ .text = text, .is_known = true };
}

static struct filter_value row_field(const void *arg, unsigned field)
{
	const struct top_row *r = arg;
	const struct top_ring *recv = &r->ring[HUB_RECV], *send = &r->ring[HUB_SEND];

	switch (field) { /* in the order of ui_fields */
	case 0:
		return text_value(r->name);
	case 1:
		return number_value(r->key.hub ? (int64_t)r->key.peer : -1);
	case 2:
		return number_value(r->pid);
	case 3:
		return text_value(r->hub_name);
	case 4:
		return text_value(top_status_word(r->status));
	case 5:
		return number_value(recv->is_there ? recv->waiting : -1);
	case 6:
		return number_value(send->is_there ? send->waiting : -1);
	case 7:
		return number_value(recv->bell);
	case 8:
		return number_value(r->calls);
	case 9:
		return number_value(r->slots);
	case 10:
		return number_value(r->rss_bytes);
	default:
		return number_value(r->fds);
	}
}

/* A healthy host has nothing to say in narrow columns: it stands in the title already. */
static bool is_hidden_host(const struct ui *ui, const struct top_row *r)
{
	return r->key.hub && r->key.peer == 0 && ui->cols < COLUMNS_WIDE && ui->top.hubs == 1 &&
	       !top_is_ill(r) && ui->top.rows > 1;
}

static int show_rows(struct ui *ui)
{
	size_t n = 0;

	ui->view.hidden = 0;
	for (size_t i = 0; i < ui->top.rows; i++) {
		const struct top_row *r = &ui->top.row[i];

		if (is_hidden_host(ui, r) || !filter_is_match(&ui->filter, r, row_field))
			continue;
		if (ui->view.hide_healthy && !top_is_ill(r)) {
			ui->view.hidden++;
			continue;
		}
		if (!GROW(ui->row, n, ui->rows_room))
			return -ENOMEM;
		ui->row[n++] = r;
	}
	ui->view.row = ui->row;
	ui->view.rows = n;
	return 0;
}

static bool is_same(const struct ui_muted *m, const struct finding *f)
{
	return m->rule == f->rule && strcmp(m->place, f->place) == 0;
}

static bool is_muted(const struct ui *ui, const struct finding *f)
{
	for (size_t i = 0; i < ui->mutes; i++)
		if (is_same(&ui->muted[i], f))
			return true;
	return false;
}

static int show_findings(struct ui *ui)
{
	const struct findings *all = &ui->view.frame->findings;
	size_t n = 0;

	ui->view.muted = 0;
	for (size_t i = 0; i < all->n; i++) {
		if (is_muted(ui, all->list[i])) {
			ui->view.muted++;
			continue;
		}
		if (!GROW(ui->finding, n, ui->findings_room))
			return -ENOMEM;
		ui->finding[n++] = all->list[i];
	}
	ui->view.finding = ui->finding;
	ui->view.findings = n;
	return 0;
}

static int compare_slots(const void *a, const void *b, void *arg)
{
	const struct state_slot *x = *(const struct state_slot *const *)a;
	const struct state_slot *y = *(const struct state_slot *const *)b;
	const bool x_dead = top_slot_is_dead(arg, x), y_dead = top_slot_is_dead(arg, y);

	if (x_dead != y_dead)
		return x_dead ? -1 : 1;
	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	if (x->klass != y->klass)
		return x->klass < y->klass ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static int show_slots(struct ui *ui)
{
	const struct state_hub *hub = view_chosen_hub(&ui->view);
	size_t n = 0;

	ui->view.listed = 0;
	if (!hub || ui->screen != SCREEN_SLOTS)
		return 0;
	for (; n < hub->slots; n++) {
		if (!GROW(ui->slot, n, ui->slots_room))
			return -ENOMEM;
		ui->slot[n] = &hub->slot[n];
	}
	if (n)
		qsort_r(ui->slot, n, sizeof(*ui->slot), compare_slots, (void *)hub);
	ui->view.slot = ui->slot;
	ui->view.listed = n;
	return 0;
}

/* The cursor stays on its peer and on its finding, not on its line. */
static void follow_chosen(struct ui *ui)
{
	struct view *v = &ui->view;
	struct cursor *rows = &ui->cursor[SCREEN_OVERVIEW];
	struct cursor *findings = &ui->cursor[SCREEN_FINDINGS];
	size_t wanted = ui->top.rows;

	if (ui->has_moved && ui->has_chosen)
		wanted = top_find(&ui->top, &ui->chosen);
	else if (v->findings && v->finding[0]->state != FINDING_CLEARED)
		wanted = top_find_where(&ui->top, &v->finding[0]->where);
	for (size_t i = 0; wanted < ui->top.rows && i < v->rows; i++)
		if (v->row[i] == &ui->top.row[wanted])
			rows->at = i;
	for (size_t i = 0; i < v->findings; i++)
		if (is_same(&ui->finding_key, v->finding[i]))
			findings->at = i;
}

static const struct finding *finding_at(const struct ui *ui, const struct top_row *row)
{
	const struct view *v = &ui->view;

	for (size_t i = 0; row && i < v->findings; i++) {
		const size_t at = top_find_where(&ui->top, &v->finding[i]->where);

		if (v->finding[i]->state != FINDING_CLEARED && at < ui->top.rows &&
		    &ui->top.row[at] == row)
			return v->finding[i];
	}
	return NULL;
}

/* After the cursors moved: what they stand on. */
static void note_chosen(struct ui *ui)
{
	struct view *v = &ui->view;
	struct cursor *rows = &ui->cursor[SCREEN_OVERVIEW];
	struct cursor *findings = &ui->cursor[SCREEN_FINDINGS];

	if (rows->at >= v->rows)
		rows->at = v->rows ? v->rows - 1 : 0;
	if (findings->at >= v->findings)
		findings->at = v->findings ? v->findings - 1 : 0;
	v->chosen = v->rows ? v->row[rows->at] : NULL;
	ui->has_chosen = v->chosen != NULL;
	if (v->chosen)
		ui->chosen = v->chosen->key;
	v->chosen_finding = ui->screen == SCREEN_FINDINGS
				    ? (v->findings ? v->finding[findings->at] : NULL)
				    : finding_at(ui, v->chosen);
	if (v->findings && ui->screen == SCREEN_FINDINGS) {
		const struct finding *f = v->finding[findings->at];

		ui->finding_key.rule = f->rule;
		snprintf(ui->finding_key.place, sizeof(ui->finding_key.place), "%s", f->place);
	}
}

/* Who looks at stacks: two screens, and the pane of the selected row. */
static bool shows_stacks(const struct ui *ui)
{
	return ui->screen == SCREEN_THREADS || ui->screen == SCREEN_PEER ||
	       (ui->screen == SCREEN_OVERVIEW && ui->cols >= COLUMNS_WIDE && ui->rows >= 34);
}

int ui_refresh(struct ui *ui)
{
	struct view *v = &ui->view;
	const struct frame *before = session_before(ui->session);

	ui->session->wants_stacks = shows_stacks(ui);
	if (ui->session->wants_stacks)
		session_name_stacks(ui->session);

	v->frame = session_frame(ui->session);
	if (!v->frame)
		return 0;
	v->time = session_is_past(ui->session) ? VIEW_PAUSED : VIEW_LIVE;
	if (ui->session->is_replay)
		v->time = VIEW_REPLAY;
	int r = top_update(&ui->top, before, v->frame, &v->order);
	r = r ? r : show_rows(ui);
	r = r ? r : show_findings(ui);
	if (r) {
		v->frame = NULL;
		return r;
	}
	top_memory_make(&ui->memory, &ui->top, &ui->session->history, v->frame->st.now_us);
	follow_chosen(ui);
	note_chosen(ui);
	return show_slots(ui);
}

/* ---- actions ----------------------------------------------------------------------------- */

static struct cursor *list_cursor(struct ui *ui)
{
	/* the peer screen walks through the rows of the overview */
	return &ui->cursor[ui->screen == SCREEN_PEER ? SCREEN_OVERVIEW : ui->screen];
}

static void move_to(struct ui *ui, size_t at)
{
	const size_t n = view_of(ui->screen)->items(&ui->view);
	struct cursor *cursor = list_cursor(ui);

	if (!n)
		return;
	cursor->at = at < n ? at : n - 1;
	if (ui->screen == SCREEN_OVERVIEW || ui->screen == SCREEN_PEER)
		ui->has_moved = true;
	note_chosen(ui);
}

static void move_by(struct ui *ui, int by)
{
	const size_t at = list_cursor(ui)->at;

	move_to(ui, by < 0 && at < (size_t)-by ? 0 : at + (size_t)by);
}

static void go_to_screen(struct ui *ui, enum screen_id screen)
{
	const struct view_ops *ops = view_of(screen);

	if (ops->why_not) {
		ui_say(ui, "%s", ops->why_not);
		return;
	}
	if (screen == SCREEN_FINDINGS && ui->view.chosen_finding) {
		ui->finding_key.rule = ui->view.chosen_finding->rule;
		snprintf(ui->finding_key.place, sizeof(ui->finding_key.place), "%s",
			 ui->view.chosen_finding->place);
	}
	ui->screen = screen;
	if (ui->view.frame)
		follow_chosen(ui);
	note_chosen(ui);
}

static void next_screen(struct ui *ui, int by)
{
	int s = ui->screen;

	do
		s = (s - 1 + by + SCREEN_END - 1) % (SCREEN_END - 1) + 1;
	while (view_of((enum screen_id)s)->why_not);
	go_to_screen(ui, (enum screen_id)s);
}

/* From a finding to the peer it speaks of. */
static void enter_finding(struct ui *ui)
{
	const struct finding *f = ui->view.chosen_finding;
	const size_t at = f ? top_find_where(&ui->top, &f->where) : ui->top.rows;

	if (at == ui->top.rows) {
		ui_say(ui, "no peer or process of this sample belongs to this finding");
		return;
	}
	ui->chosen = ui->top.row[at].key;
	ui->has_chosen = ui->has_moved = true;
	go_to_screen(ui, f->where.peer > 0 ? SCREEN_PEER : SCREEN_THREADS);
}

static void enter(struct ui *ui)
{
	if (ui->screen == SCREEN_OVERVIEW)
		go_to_screen(ui, SCREEN_PEER);
	else if (ui->screen == SCREEN_PEER)
		go_to_screen(ui, SCREEN_THREADS);
	else if (ui->screen == SCREEN_FINDINGS)
		enter_finding(ui);
}

static void go_back(struct ui *ui)
{
	if (ui->screen == SCREEN_THREADS)
		go_to_screen(ui, SCREEN_PEER);
	else if (ui->screen != SCREEN_OVERVIEW)
		go_to_screen(ui, SCREEN_OVERVIEW);
}

static void set_sort(struct ui *ui, int sort)
{
	if (ui->view.order.sort == (enum top_sort)sort)
		ui->view.order.inverted = !ui->view.order.inverted;
	else
		ui->view.order.inverted = false;
	ui->view.order.sort = (enum top_sort)sort;
	ui_say(ui, "sorted by %s%s", top_sort_name(ui->view.order.sort),
	       ui->view.order.inverted ? ", inverted" : "");
}

static void mute(struct ui *ui)
{
	const struct finding *f = ui->view.chosen_finding;

	if (!f || ui->mutes == UI_MUTED) {
		ui_say(ui, ui->mutes ? "all findings are shown again" : "nothing to mute");
		ui->mutes = 0;
		return;
	}
	struct ui_muted *m = &ui->muted[ui->mutes++];

	m->rule = f->rule;
	snprintf(m->place, sizeof(m->place), "%s", f->place);
	ui_say(ui, "muted for this session: %s %s (still in the verdict; m without a finding: all back)",
	       f->rule->name, f->place);
}

static void pause_or_go_on(struct ui *ui)
{
	struct session *s = ui->session;

	if (s->is_replay && s->clock_us >= s->end_us && !s->is_playing)
		ui_say(ui, "at the end: [ steps back, T start goes to the beginning");
	else if (s->is_replay ? s->is_playing : s->follow)
		session_pause(s);
	else
		session_live(s);
}

static void step(struct ui *ui, int n)
{
	if (!session_step(ui->session, n))
		ui_say(ui, n < 0 ? "this is the oldest sample that is kept"
				 : "this is the newest sample (L: back to live)");
}

static void jump_event(struct ui *ui, int direction)
{
	if (!session_event(ui->session, direction))
		ui_say(ui, direction < 0 ? "no change of a finding before this sample"
					 : "no change of a finding after this sample");
}

static void begin_prompt(struct ui *ui, enum ui_prompt prompt)
{
	ui->prompt = prompt;
	ui->input[0] = '\0';
	if (prompt == PROMPT_FILTER)
		snprintf(ui->input, sizeof(ui->input), "%s", ui->filter_text);
}

static void open_overlay(struct ui *ui, enum ui_overlay overlay)
{
	if (overlay == OVERLAY_EXPLAIN && !ui->view.chosen_finding && ui->view.findings)
		ui->view.chosen_finding = ui->view.finding[0];
	if (overlay == OVERLAY_EXPLAIN && !ui->view.chosen_finding) {
		ui_say(ui, "no finding to explain");
		return;
	}
	if ((overlay == OVERLAY_DUMP || overlay == OVERLAY_WAITS) && !ui->view.chosen) {
		ui_say(ui, "no process is selected");
		return;
	}
	ui->overlay = overlay;
	ui->overlay_first = 0;
	ui->menu = (struct cursor){ .at = ui->view.order.sort };
}

/* ---- searching --------------------------------------------------------------------------- */

static void search(struct ui *ui, int direction)
{
	const size_t n = view_of(ui->screen)->items(&ui->view);
	const size_t from = list_cursor(ui)->at;
	char text[400];

	if (!ui->search[0] || !n) {
		ui_say(ui, "nothing to search (/ takes a text)");
		return;
	}
	for (size_t i = 1; i <= n; i++) {
		const size_t at = (direction > 0 ? from + i : from + n - i) % n;

		view_of(ui->screen)->text(&ui->view, at, text, sizeof(text));
		if (strcasestr(text, ui->search)) {
			move_to(ui, at);
			return;
		}
	}
	ui_say(ui, "not found here: %s", ui->search);
}

int ui_set_filter(struct ui *ui, const char *text, struct err *err)
{
	const int r = filter_parse(&ui->filter, text, ui_fields, err);

	if (r == 0)
		snprintf(ui->filter_text, sizeof(ui->filter_text), "%s", text);
	return r;
}

static void end_prompt(struct ui *ui)
{
	const enum ui_prompt prompt = ui->prompt;
	struct err err = { .text = "" };

	ui->prompt = PROMPT_NONE;
	if (prompt == PROMPT_SEARCH) {
		snprintf(ui->search, sizeof(ui->search), "%s", ui->input);
		ui->overlay_search = ui->overlay != OVERLAY_NONE;
		if (!ui->overlay)
			search(ui, 1);
	} else if (prompt == PROMPT_FILTER) {
		if (ui_set_filter(ui, ui->input, &err))
			ui_say(ui, "%s", err.text);
	} else if (session_goto(ui->session, ui->input, &err)) {
		ui_say(ui, "%s", err.text);
	}
}

static void prompt_key(struct ui *ui, int key)
{
	const size_t len = strlen(ui->input);

	if (key == K_ESCAPE) {
		ui->prompt = PROMPT_NONE;
	} else if (key == K_ENTER || key == '\n') {
		end_prompt(ui);
	} else if (key == K_ERASE || key == '\b') {
		if (len)
			ui->input[len - 1] = '\0';
		else
			ui->prompt = PROMPT_NONE;
	} else if (key == K_CTRL('u')) {
		ui->input[0] = '\0';
	} else if (key >= ' ' && key < 0x7f && len + 1 < sizeof(ui->input)) {
		ui->input[len] = (char)key;
		ui->input[len + 1] = '\0';
	}
}

/* ---- dispatch ---------------------------------------------------------------------------- */

static void toggle_ascii(struct ui *ui)
{
	if (!ui->can_utf8)
		ui_say(ui, "the locale is not UTF-8: ASCII it is");
	else
		ui->ascii = !ui->ascii;
}

static void act(struct ui *ui, enum action action, int arg)
{
	const int page = ui->rows > 8 ? ui->rows - 8 : 1;

	switch (action) {
	case ACT_SCREEN:
		go_to_screen(ui, (enum screen_id)arg);
		break;
	case ACT_SCREEN_NEXT:
		next_screen(ui, 1);
		break;
	case ACT_SCREEN_PREVIOUS:
		next_screen(ui, -1);
		break;
	case ACT_DOWN:
		move_by(ui, 1);
		break;
	case ACT_UP:
		move_by(ui, -1);
		break;
	case ACT_FIRST:
		move_to(ui, 0);
		break;
	case ACT_LAST:
		move_to(ui, SIZE_MAX);
		break;
	case ACT_HALF_DOWN:
		move_by(ui, page / 2 + 1);
		break;
	case ACT_HALF_UP:
		move_by(ui, -(page / 2 + 1));
		break;
	case ACT_PAGE_DOWN:
		move_by(ui, page);
		break;
	case ACT_PAGE_UP:
		move_by(ui, -page);
		break;
	case ACT_CHOOSE:
		move_to(ui, (size_t)arg);
		break;
	case ACT_ENTER:
		enter(ui);
		break;
	case ACT_BACK:
		go_back(ui);
		break;
	case ACT_PAUSE:
		pause_or_go_on(ui);
		break;
	case ACT_STEP_BACK:
		step(ui, -1);
		break;
	case ACT_STEP:
		step(ui, 1);
		break;
	case ACT_LEAP_BACK:
		step(ui, -LEAP);
		break;
	case ACT_LEAP:
		step(ui, LEAP);
		break;
	case ACT_EVENT:
		jump_event(ui, 1);
		break;
	case ACT_EVENT_BACK:
		jump_event(ui, -1);
		break;
	case ACT_GOTO:
		begin_prompt(ui, PROMPT_GOTO);
		break;
	case ACT_LIVE:
		session_live(ui->session);
		break;
	case ACT_SEARCH:
		begin_prompt(ui, PROMPT_SEARCH);
		break;
	case ACT_SEARCH_NEXT:
		search(ui, 1);
		break;
	case ACT_SEARCH_BACK:
		search(ui, -1);
		break;
	case ACT_FILTER:
		begin_prompt(ui, PROMPT_FILTER);
		break;
	case ACT_SORT_MENU:
		open_overlay(ui, OVERLAY_SORT);
		break;
	case ACT_SORT:
		set_sort(ui, arg);
		break;
	case ACT_SORT_LEFT:
		set_sort(ui, ((int)ui->view.order.sort + TOP_SORTS - 1) % TOP_SORTS);
		break;
	case ACT_SORT_RIGHT:
		set_sort(ui, ((int)ui->view.order.sort + 1) % TOP_SORTS);
		break;
	case ACT_INVERT:
		set_sort(ui, (int)ui->view.order.sort);
		break;
	case ACT_MUTE:
		mute(ui);
		break;
	case ACT_HIDE:
		ui->view.hide_healthy = !ui->view.hide_healthy;
		break;
	case ACT_CYCLE:
		ui->view.slots = (ui->view.slots + 1) % SLOTS_VIEWS;
		break;
	case ACT_SPLIT:
		ui->view.split = !ui->view.split;
		break;
	case ACT_WAITS:
		open_overlay(ui, OVERLAY_WAITS);
		break;
	case ACT_EXPLAIN:
		open_overlay(ui, OVERLAY_EXPLAIN);
		break;
	case ACT_DUMP:
		open_overlay(ui, OVERLAY_DUMP);
		break;
	case ACT_WRITE:
		ui->wants_write = true;
		break;
	case ACT_ASCII:
		toggle_ascii(ui);
		break;
	case ACT_COLORS:
		ui->scheme = (ui->scheme + 1) % SCHEMES;
		ui_say(ui, "colors: %s", scheme_name(ui->scheme));
		break;
	case ACT_MOUSE:
		ui->mouse = !ui->mouse;
		ui_say(ui, ui->mouse ? "mouse: on (hold Shift to select text)"
				     : "mouse: off, the terminal selects text");
		break;
	case ACT_HELP:
		open_overlay(ui, OVERLAY_HELP);
		break;
	case ACT_QUIT:
		ui->is_over = true;
		break;
	case ACT_NONE:
		break;
	}
}

static void sort_menu_key(struct ui *ui, int key)
{
	int arg = 0;
	const enum action action = keys_find(key, ui->screen, &arg);

	if (action == ACT_DOWN && ui->menu.at + 1 < TOP_SORTS)
		ui->menu.at++;
	else if (action == ACT_UP && ui->menu.at > 0)
		ui->menu.at--;
	else if (action == ACT_ENTER)
		set_sort(ui, (int)ui->menu.at);
	if (action != ACT_DOWN && action != ACT_UP)
		ui->overlay = OVERLAY_NONE;
}

/* Help and explanations scroll; every key that is not for scrolling closes them. */
static void overlay_key(struct ui *ui, int key)
{
	int arg = 0;

	if (ui->overlay == OVERLAY_SORT) {
		sort_menu_key(ui, key);
		return;
	}
	if (ui->overlay == OVERLAY_HELP && key == 'W') {
		ui->wants_save = true;
		ui->overlay = OVERLAY_NONE;
		return;
	}
	if (ui->overlay == OVERLAY_DUMP) { /* no is the default: any other key */
		if ((key == 'y' || key == 'Y') && ui_may_dump(ui))
			ui->wants_dump = ui->view.chosen->pid;
		ui->overlay = OVERLAY_NONE;
		return;
	}
	if (key == '/' || key == K_F3) {
		begin_prompt(ui, PROMPT_SEARCH);
		return;
	}
	if (key == 'n' && ui->search[0]) {
		ui->overlay_search = true;
		return;
	}
	switch (keys_find(key, ui->screen, &arg)) {
	case ACT_DOWN:
		ui->overlay_first++;
		break;
	case ACT_UP:
		ui->overlay_first--;
		break;
	case ACT_HALF_DOWN:
	case ACT_PAGE_DOWN:
		ui->overlay_first += ui->rows - 3;
		break;
	case ACT_HALF_UP:
	case ACT_PAGE_UP:
		ui->overlay_first -= ui->rows - 3;
		break;
	case ACT_FIRST:
		ui->overlay_first = 0;
		break;
	case ACT_LAST:
		ui->overlay_first = INT_MAX / 2; /* as far as there is: overlay_draw() knows */
		break;
	default:
		ui->overlay = OVERLAY_NONE;
		break;
	}
}

static void screen_key(struct ui *ui, int key)
{
	int arg = 0;
	const enum action action = keys_find(key, ui->screen, &arg);

	/* Backspace takes the filter away */
	if (key == K_ERASE && ui->filter_text[0]) {
		ui_set_filter(ui, "", NULL);
		return;
	}
	if (action == ACT_NONE && keys_elsewhere(key))
		ui_say(ui, "%s: not on this screen", keys_elsewhere(key)->shown);
	else if (action == ACT_NONE && key > ' ' && key < 0x7f)
		ui_say(ui, "%c: no such key (? lists them)", key);
	act(ui, action, arg);
}

void ui_key(struct ui *ui, int key)
{
	if (key == K_RESIZED || key == K_NONE)
		return;
	ui->message[0] = '\0';
	if (key == K_WHEEL_UP || key == K_WHEEL_DOWN)
		key = key == K_WHEEL_UP ? K_UP : K_DOWN;
	if (ui->prompt)
		prompt_key(ui, key);
	else if (ui->overlay)
		overlay_key(ui, key);
	else
		screen_key(ui, key);
	ui_refresh(ui);
}

void ui_click(struct ui *ui, const struct canvas *c, int row, int col)
{
	const struct canvas_target *t = canvas_target_at(c, row, col);

	ui->message[0] = '\0';
	ui->overlay = OVERLAY_NONE;
	if (t && !ui->prompt)
		act(ui, (enum action)t->action, t->arg);
	ui_refresh(ui);
}
