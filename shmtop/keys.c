#include "shmtop/keys.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ON(screen) (1u << (screen))
#define EVERYWHERE (~0u)
#define LISTS                                                                            \
	(ON(SCREEN_OVERVIEW) | ON(SCREEN_SLOTS) | ON(SCREEN_THREADS) | ON(SCREEN_FINDINGS))
#define SORTABLE   ON(SCREEN_OVERVIEW)

static const struct key table[] = {
	{ { '1', '2', '3', '4', '5', '6' }, ACT_SCREEN, EVERYWHERE, "Move", "1..6",
	  "overview peer slots memory threads findings", NULL, 0 },
	{ { '\t' }, ACT_SCREEN_NEXT, EVERYWHERE, "Move", "Tab", "next screen", NULL, 0 },
	{ { K_BACKTAB }, ACT_SCREEN_PREVIOUS, EVERYWHERE, "Move", "S-Tab", "previous",
	  NULL, 0 },
	{ { 'j', K_DOWN }, ACT_DOWN, EVERYWHERE, "Move", "j, Down", "next row", NULL, 0 },
	{ { 'k', K_UP }, ACT_UP, EVERYWHERE, "Move", "k, Up", "previous row", NULL, 0 },
	{ { 'g', K_HOME }, ACT_FIRST, EVERYWHERE, "Move", "g, Home", "first row", NULL, 0 },
	{ { 'G', K_END }, ACT_LAST, EVERYWHERE, "Move", "G, End", "last row", NULL, 0 },
	{ { K_CTRL('d') }, ACT_HALF_DOWN, EVERYWHERE, "Move", "C-d", "half a page down", NULL,
	  0 },
	{ { K_CTRL('u') }, ACT_HALF_UP, EVERYWHERE, "Move", "C-u", "up", NULL, 0 },
	{ { K_PAGE_DOWN }, ACT_PAGE_DOWN, EVERYWHERE, "Move", "PgDn", "page down", NULL, 0 },
	{ { K_PAGE_UP }, ACT_PAGE_UP, EVERYWHERE, "Move", "PgUp", "page up", NULL, 0 },
	{ { K_ENTER, '\n', 'l', K_RIGHT }, ACT_ENTER, EVERYWHERE, "Move", "Enter, l",
	  "look into the row", "Enter:in", 11 },
	{ { K_ESCAPE, 'h', K_LEFT }, ACT_BACK, EVERYWHERE, "Move", "Esc, h",
	  "back (never quits)", NULL, 0 },

	{ { ' ', 'z' }, ACT_PAUSE, EVERYWHERE, "Time", "Space, z",
	  "pause, go on (sampling never stops)", "Space:pause", 1 },
	{ { '[' }, ACT_STEP_BACK, EVERYWHERE, "Time", "[", "sample back", "[ ]:step",
	  6 },
	{ { ']' }, ACT_STEP, EVERYWHERE, "Time", "]", "forward", NULL, 0 },
	{ { '{' }, ACT_LEAP_BACK, EVERYWHERE, "Time", "{", "60 back", NULL, 0 },
	{ { '}' }, ACT_LEAP, EVERYWHERE, "Time", "}", "60 forward", NULL, 0 },
	{ { 'e' }, ACT_EVENT, EVERYWHERE, "Time", "e", "next change of a finding", "e:jump",
	  4 },
	{ { 'E' }, ACT_EVENT_BACK, EVERYWHERE, "Time", "E",
	  "previous one", NULL, 0 },
	{ { 'T' }, ACT_GOTO, EVERYWHERE, "Time", "T", "go to 14:01, -5m, +30s, start, end",
	  "T:time", 9 },
	{ { 'L' }, ACT_LIVE, EVERYWHERE, "Time", "L", "back to live", NULL, 0 },

	{ { '/', K_F3 }, ACT_SEARCH, LISTS, "Find", "/, F3", "search", "/:search", 5 },
	{ { 'n' }, ACT_SEARCH_NEXT, LISTS, "Find", "n", "next", NULL, 0 },
	{ { 'N' }, ACT_SEARCH_BACK, LISTS, "Find", "N", "previous", NULL, 0 },
	{ { '\\', K_F4 }, ACT_FILTER, SORTABLE, "Find", "\\, F4",
	  "filter (peer=3 name~cache slots>10)", "\\:filter", 7 },
	{ { 's' }, ACT_SORT_MENU, SORTABLE, "Find", "s", "sort menu", "s:sort", 12 },
	{ { '<' }, ACT_SORT_LEFT, SORTABLE, "Find", "<", "sort column left", NULL,
	  0 },
	{ { '>' }, ACT_SORT_RIGHT, SORTABLE, "Find", ">", "right", NULL,
	  0 },
	{ { 'i' }, ACT_INVERT, SORTABLE, "Find", "i", "invert the order", NULL, 0 },
	{ { 'H' }, ACT_HIDE, SORTABLE, "Find", "H", "hide healthy rows", NULL, 0 },
	{ { 'm' }, ACT_MUTE, ON(SCREEN_FINDINGS), "Find", "m",
	  "mute a finding, all back", "m:mute", 2 },
	{ { 'v' }, ACT_CYCLE, ON(SCREEN_SLOTS), "Find", "v", "slots by state, by owner, by age",
	  "v:view", 2 },
	{ { '=' }, ACT_SPLIT, ON(SCREEN_THREADS), "Find", "=", "split a group of threads",
	  "=:split", 2 },
	{ { 'D' }, ACT_WAITS, ON(SCREEN_THREADS), "Find", "D", "who waits for whom", "D:waits", 12 },

	{ { 'x' }, ACT_EXPLAIN, EVERYWHERE, "Safe", "x", "explain the selected finding",
	  "x:explain", 10 },
	{ { 'd' }, ACT_DUMP, EVERYWHERE, "Safe", "d", "dump the process (asks)", "d:dump",
	  3 },
	{ { 'w' }, ACT_WRITE, EVERYWHERE, "Safe", "w",
	  "screen and evidence to a file", "w:write", 8 },

	{ { 'u' }, ACT_ASCII, EVERYWHERE, "Look", "u", "ASCII on and off", NULL, 0 },
	{ { 'C' }, ACT_COLORS, EVERYWHERE, "Look", "C", "next color scheme", NULL, 0 },
	{ { 'M' }, ACT_MOUSE, EVERYWHERE, "Look", "M", "mouse on and off", NULL, 0 },
	{ { '?', K_F1 }, ACT_HELP, EVERYWHERE, "Look", "?, F1", "help for this screen", NULL, 0 },
	{ { 'q', K_F10 }, ACT_QUIT, EVERYWHERE, "Look", "q, F10", "quit", NULL, 0 },
};

enum { TABLE = sizeof(table) / sizeof(*table) };

const struct key *keys_all(size_t *n)
{
	*n = TABLE;
	return table;
}

static const struct key *find_entry(int key, unsigned screens)
{
	for (size_t i = 0; key && i < TABLE; i++)
		for (size_t k = 0; k < KEY_PLACES; k++)
			if (table[i].key[k] == key && (table[i].screens & screens))
				return &table[i];
	return NULL;
}

enum action keys_find(int key, enum screen_id screen, int *arg)
{
	const struct key *k = find_entry(key, ON(screen));

	if (!k)
		return ACT_NONE;
	if (k->action == ACT_SCREEN)
		*arg = key - '0';
	return k->action;
}

const struct key *keys_elsewhere(int key)
{
	return find_entry(key, EVERYWHERE);
}

static const struct {
	const char *name;
	int key;
} names[] = {
	{ "Enter", K_ENTER },   { "Esc", K_ESCAPE },      { "Up", K_UP },
	{ "Down", K_DOWN },     { "Left", K_LEFT },      { "Right", K_RIGHT },
	{ "PgUp", K_PAGE_UP },   { "PgDn", K_PAGE_DOWN },  { "Home", K_HOME },
	{ "End", K_END },       { "Tab", '\t' },            { "S-Tab", K_BACKTAB },
	{ "Space", ' ' },          { "BS", K_ERASE },        { "F1", K_F1 },
	{ "F3", K_F3 },          { "F4", K_F4 },           { "F10", K_F10 },
	{ "lt", '<' },
};

static int named_key(const char *name, size_t len)
{
	if (len == 3 && strncasecmp(name, "C-", 2) == 0)
		return K_CTRL(name[2]);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i].name) == len && strncasecmp(names[i].name, name, len) == 0)
			return names[i].key;
	return -1;
}

int keys_parse(const char **script)
{
	const char *s = *script;
	const char *end = *s == '<' ? strchr(s, '>') : NULL;

	if (!*s)
		return K_NONE;
	*script = end ? end + 1 : s + 1;
	return end ? named_key(s + 1, (size_t)(end - s - 1)) : (unsigned char)*s;
}
