/* color - whether to write in colour. */
#ifndef SHMSCOPE_BASE_COLOR_H
#define SHMSCOPE_BASE_COLOR_H

#include <stdbool.h>

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/*
 * color_is_wanted - the option wins; then NO_COLOR, then CLICOLOR_FORCE; else a terminal that is not
 * dumb gets colour. Safety: MT-safe, as long as nobody changes the environment.
 */
bool color_is_wanted(enum color choice, bool is_terminal);

#endif
