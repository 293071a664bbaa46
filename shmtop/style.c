#include "shmtop/style.h"

#include <string.h>

#define BOLD      .bold = true
#define REVERSE   .reverse = true
#define UNDERLINE .underline = true
#define DIM       .dim = true
#define OWN       .pen = PEN_OWN

/* Blue, yellow and magenta: red against green is lost on one man in twelve. */
static const struct style_look looks[SCHEMES][STYLES] = {
	[SCHEME_DEFAULT] = {
		[STYLE_PLAIN] = { OWN },
		[STYLE_TITLE] = { OWN, BOLD },
		[STYLE_HEAD] = { .pen = PEN_CYAN, BOLD },
		[STYLE_SORTED] = { .pen = PEN_CYAN, BOLD, UNDERLINE },
		[STYLE_CHOSEN] = { OWN, BOLD },
		[STYLE_CRITICAL] = { .pen = PEN_MAGENTA, BOLD },
		[STYLE_WARNING] = { .pen = PEN_YELLOW },
		[STYLE_GOOD] = { .pen = PEN_CYAN },
		[STYLE_DIM] = { OWN, DIM },
		[STYLE_KEY] = { .pen = PEN_CYAN, BOLD },
		[STYLE_PAUSED] = { .pen = PEN_YELLOW, BOLD },
		[STYLE_BAR] = { .pen = PEN_BLUE, BOLD },
		[STYLE_ALLOCATED] = { .pen = PEN_CYAN },
		[STYLE_IN_FLIGHT] = { .pen = PEN_BLUE, BOLD },
		[STYLE_HELD] = { .pen = PEN_YELLOW },
		[STYLE_DEAD] = { .pen = PEN_MAGENTA, BOLD },
	},
	[SCHEME_BRIGHT] = {
		[STYLE_PLAIN] = { .pen = PEN_WHITE },
		[STYLE_TITLE] = { .pen = PEN_WHITE, BOLD },
		[STYLE_HEAD] = { .pen = PEN_CYAN, BOLD },
		[STYLE_SORTED] = { .pen = PEN_CYAN, BOLD, UNDERLINE },
		[STYLE_CHOSEN] = { .pen = PEN_WHITE, BOLD },
		[STYLE_CRITICAL] = { .pen = PEN_MAGENTA, BOLD, REVERSE },
		[STYLE_WARNING] = { .pen = PEN_YELLOW, BOLD },
		[STYLE_GOOD] = { .pen = PEN_CYAN, BOLD },
		[STYLE_DIM] = { .pen = PEN_WHITE, DIM },
		[STYLE_KEY] = { .pen = PEN_CYAN, BOLD },
		[STYLE_PAUSED] = { .pen = PEN_YELLOW, BOLD },
		[STYLE_BAR] = { .pen = PEN_CYAN, BOLD },
		[STYLE_ALLOCATED] = { .pen = PEN_CYAN, BOLD },
		[STYLE_IN_FLIGHT] = { .pen = PEN_BLUE, BOLD },
		[STYLE_HELD] = { .pen = PEN_YELLOW, BOLD },
		[STYLE_DEAD] = { .pen = PEN_MAGENTA, BOLD },
	},
	[SCHEME_LIGHT] = {
		[STYLE_PLAIN] = { OWN },
		[STYLE_TITLE] = { OWN, BOLD },
		[STYLE_HEAD] = { .pen = PEN_BLUE, BOLD },
		[STYLE_SORTED] = { .pen = PEN_BLUE, BOLD, UNDERLINE },
		[STYLE_CHOSEN] = { OWN, BOLD },
		[STYLE_CRITICAL] = { .pen = PEN_MAGENTA, BOLD },
		[STYLE_WARNING] = { .pen = PEN_BLUE, UNDERLINE },
		[STYLE_GOOD] = { .pen = PEN_BLUE },
		[STYLE_DIM] = { OWN, DIM },
		[STYLE_KEY] = { .pen = PEN_BLUE, BOLD },
		[STYLE_PAUSED] = { .pen = PEN_MAGENTA, BOLD },
		[STYLE_BAR] = { .pen = PEN_BLUE },
		[STYLE_ALLOCATED] = { .pen = PEN_BLUE },
		[STYLE_IN_FLIGHT] = { .pen = PEN_BLUE, BOLD },
		[STYLE_HELD] = { OWN, BOLD },
		[STYLE_DEAD] = { .pen = PEN_MAGENTA, BOLD },
	},
	[SCHEME_MONO] = {
		[STYLE_PLAIN] = { OWN },
		[STYLE_TITLE] = { OWN },
		[STYLE_HEAD] = { OWN },
		[STYLE_SORTED] = { OWN, UNDERLINE },
		[STYLE_CHOSEN] = { OWN },
		[STYLE_CRITICAL] = { OWN, REVERSE },
		[STYLE_WARNING] = { OWN, BOLD },
		[STYLE_GOOD] = { OWN },
		[STYLE_DIM] = { OWN },
		[STYLE_KEY] = { OWN },
		[STYLE_PAUSED] = { OWN, REVERSE },
		[STYLE_BAR] = { OWN },
		[STYLE_ALLOCATED] = { OWN },
		[STYLE_IN_FLIGHT] = { OWN },
		[STYLE_HELD] = { OWN },
		[STYLE_DEAD] = { OWN, REVERSE },
	},
};

static const char *const names[SCHEMES] = { "default", "bright", "light", "mono" };

const struct style_look *style_look(enum scheme scheme, enum style style)
{
	return &looks[scheme][style];
}

const char *scheme_name(enum scheme scheme)
{
	return names[scheme];
}

int scheme_find(const char *name)
{
	for (int s = 0; s < SCHEMES; s++)
		if (strcmp(names[s], name) == 0)
			return s;
	return -1;
}
