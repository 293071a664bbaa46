/*
 * screen - the terminal. The only place that knows ncurses.
 *
 * However the program ends - return, signal, failed assert - the terminal gets back its modes,
 * its mouse and its contents.
 */
#ifndef SHMSCOPE_SHMTOP_SCREEN_H
#define SHMSCOPE_SHMTOP_SCREEN_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "shmtop/canvas.h"

struct screen_event {
	int key;      /* keys.h */
	int row, col; /* K_CLICK: where */
};

/*
 * screen_is_possible - whether stdout is a terminal that can be drawn on. Takes nothing.
 * Returns 0; -ENOTTY; -ENOTSUP (TERM=dumb, or unknown) with err set.
 * Safety: one-owner.
 */
int screen_is_possible(struct err *err);

/*
 * screen_open / screen_close - take the terminal, give it back.
 * Returns 0; negative errno with err set.
 * Safety: one-owner, once at a time (as all below).
 */
int screen_open(bool mouse, struct err *err);
void screen_close(void);

/* screen_size - rows and columns now. */
void screen_size(int *rows, int *cols);

/* screen_show - put a canvas on the terminal. */
void screen_show(const struct canvas *c, enum scheme scheme);

/* screen_mouse - whether clicks are ours or the terminal's. */
void screen_mouse(bool on);

/* screen_has_colors - false: mono is all there is. */
bool screen_has_colors(void);

/* screen_wait - until a key can be read, or for timeout_ms. */
void screen_wait(int timeout_ms);

/* screen_next - the next key that was pressed. Returns false when there is none. */
bool screen_next(struct screen_event *event);

/* screen_signal - a signal that asks us to end (INT, TERM, HUP, QUIT); 0: none came. */
int screen_signal(void);

#endif
