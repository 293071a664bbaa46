/*
 * ui - what the user chose and where they are: a state machine from keys to the next screen.
 * It knows no terminal: screen.c brings keys and shows the canvas, the tests do the same.
 */
#ifndef SHMSCOPE_SHMTOP_UI_H
#define SHMSCOPE_SHMTOP_UI_H

#include "lib/base/filter.h"
#include "shmtop/session.h"
#include "shmtop/view.h"

enum ui_overlay { OVERLAY_NONE, OVERLAY_HELP, OVERLAY_EXPLAIN, OVERLAY_DUMP, OVERLAY_WAITS, OVERLAY_SORT };
enum ui_prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_GOTO };

enum { UI_INPUT = 128, UI_MUTED = 32, UI_ROWS_MIN = 10, UI_COLS_MIN = 40 };

struct ui_muted { /* a finding that is not shown in this session */
	const struct rule *rule;
	char place[128];
};

struct ui {
	struct session *session;
	struct top top;
	struct top_memory memory;
	struct view view;               /* points into the rest */
	const struct top_row **row;     /* visible rows */
	size_t rows_room;
	const struct finding **finding; /* visible findings */
	size_t findings_room;
	const struct state_slot **slot; /* listed slots of the chosen hub */
	size_t slots_room;
	struct top_key chosen;          /* the selected row, wherever it stands */
	bool has_chosen;
	bool has_moved;                 /* the user chose; else the worst finding does */
	struct ui_muted finding_key;    /* the selected finding, likewise */
	enum screen_id screen;
	struct cursor cursor[SCREEN_END];
	enum ui_overlay overlay;
	int overlay_first;              /* first line of it that is shown */
	bool overlay_search;            /* go on to the next line that has ui->search */
	struct cursor menu;
	enum ui_prompt prompt;
	char input[UI_INPUT];
	char message[512];              /* until the next key */
	char search[UI_INPUT], filter_text[UI_INPUT];
	struct filter filter;
	struct ui_muted muted[UI_MUTED];
	size_t mutes;
	int rows, cols;                 /* of the screen */
	bool can_utf8, ascii;
	enum scheme scheme;
	bool mouse;
	bool read_only;
	bool wants_save;                /* W in the help screen */
	bool wants_write;               /* w */
	int32_t wants_dump;             /* y to the question of d: this process; 0 none */
	bool is_over;                   /* q */
};

/* ui_init / ui_fini - on screen 1. session: borrowed. Safety: one-owner (as all below). */
void ui_init(struct ui *ui, struct session *session, int rows, int cols);
void ui_fini(struct ui *ui);

/* ui_refresh - rows and findings of the sample that is looked at; after each sample.
 * Returns 0 or -ENOMEM. */
int ui_refresh(struct ui *ui);

/* ui_key - a key was pressed; ui_click - the mouse, at row and column of `c`. */
void ui_key(struct ui *ui, int key);
void ui_click(struct ui *ui, const struct canvas *c, int row, int col);

/* ui_set_filter - as typed. Returns 0; -EINVAL with err set. */
int ui_set_filter(struct ui *ui, const char *text, struct err *err);

/* ui_draw - everything, on a canvas of ui->rows by ui->cols. */
void ui_draw(struct ui *ui, struct canvas *c);

/* ui_may_dump - whether the selected process can be dumped from here: it lives, this is no replay,
 * and nothing forbids it. */
bool ui_may_dump(const struct ui *ui);

/* ui_is_utf8 - whether to draw beyond ASCII. */
bool ui_is_utf8(const struct ui *ui);

/* ui_say - a message on the status line, until the next key. */
void ui_say(struct ui *ui, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Fields of filters and of --filter; NULL-terminated. */
extern const char *const ui_fields[];

#endif
