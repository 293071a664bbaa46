/*
 * keys - one table: key, where it is valid, action, words. From it come the dispatch, the
 * bottom line, the help screen and the list of the man page (a test holds that they agree).
 */
#ifndef SHMSCOPE_SHMTOP_KEYS_H
#define SHMSCOPE_SHMTOP_KEYS_H

#include <stddef.h>

/* Keys that are no character; characters are their code points. */
enum {
	K_NONE = 0,
	K_ENTER = '\r',
	K_ESCAPE = 0x1b,
	K_ERASE = 0x7f,
	K_SPECIAL = 0x200000, /* beyond Unicode */
	K_UP,
	K_DOWN,
	K_LEFT,
	K_RIGHT,
	K_PAGE_UP,
	K_PAGE_DOWN,
	K_HOME,
	K_END,
	K_BACKTAB,
	K_F1,
	K_F3 = K_F1 + 2,
	K_F4,
	K_F10 = K_F1 + 9,
	K_RESIZED,
	K_CLICK, /* its place is told apart from it */
	K_WHEEL_UP,
	K_WHEEL_DOWN,
};
#define K_CTRL(letter) ((letter) & 0x1f)

enum screen_id {
	SCREEN_OVERVIEW = 1,
	SCREEN_PEER,
	SCREEN_SLOTS,
	SCREEN_MEMORY,
	SCREEN_THREADS,
	SCREEN_FINDINGS,
	SCREEN_END,
};

enum action {
	ACT_NONE,
	ACT_SCREEN, /* argument: enum screen_id */
	ACT_SCREEN_NEXT,
	ACT_SCREEN_PREVIOUS,
	ACT_DOWN,
	ACT_UP,
	ACT_FIRST,
	ACT_LAST,
	ACT_HALF_DOWN,
	ACT_HALF_UP,
	ACT_PAGE_DOWN,
	ACT_PAGE_UP,
	ACT_ENTER,
	ACT_BACK,
	ACT_PAUSE,
	ACT_STEP_BACK,
	ACT_STEP,
	ACT_LEAP_BACK,
	ACT_LEAP,
	ACT_EVENT,
	ACT_EVENT_BACK,
	ACT_GOTO,
	ACT_LIVE,
	ACT_SEARCH,
	ACT_SEARCH_NEXT,
	ACT_SEARCH_BACK,
	ACT_FILTER,
	ACT_SORT_MENU,
	ACT_SORT_LEFT,
	ACT_SORT_RIGHT,
	ACT_INVERT,
	ACT_MUTE,
	ACT_HIDE,
	ACT_CYCLE,
	ACT_SPLIT,
	ACT_WAITS,
	ACT_EXPLAIN,
	ACT_DUMP,
	ACT_WRITE,
	ACT_ASCII,
	ACT_COLORS,
	ACT_MOUSE,
	ACT_HELP,
	ACT_QUIT,
	/* not of a key: what a click means */
	ACT_CHOOSE, /* argument: row of the list */
	ACT_SORT,   /* argument: enum top_sort */
};

enum { KEY_PLACES = 6, KEY_RANKS = 12 };

struct key {
	int key[KEY_PLACES];  /* any of these; 0 fills up */
	enum action action;
	unsigned screens;     /* bit per screen where it is valid */
	const char *group;    /* Move, Time, Find, Safe, Look */
	const char *shown;    /* how the man page and the help write it: "j, Down" */
	const char *words;    /* what it does */
	const char *label;    /* in the bottom line, "Space:pause"; NULL: never there */
	int label_rank;       /* 1..KEY_RANKS: its place there; the first stay when room is short */
};

/* keys_all - the table; *n is set. Safety: MT-safe. */
const struct key *keys_all(size_t *n);

/* keys_find - what a key does on a screen; *arg is set for ACT_SCREEN. ACT_NONE: nothing there.
 * Safety: MT-safe. */
enum action keys_find(int key, enum screen_id screen, int *arg);

/* keys_action_elsewhere - whether the key means something on another screen: then it is told.
 * Safety: MT-safe. */
const struct key *keys_elsewhere(int key);

/*
 * keys_parse - the next key of a script: a character, or <Enter> <Esc> <Up> <Down> <Left>
 * <Right> <PgUp> <PgDn> <Home> <End> <Tab> <S-Tab> <Space> <BS> <C-x> <F1>...; <lt> is '<'.
 * Returns the key and moves *script on; K_NONE at the end, -1 for a name that is none.
 * Safety: MT-safe.
 */
int keys_parse(const char **script);

#endif
