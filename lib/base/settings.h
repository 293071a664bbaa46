/*
 * settings - the files in which people keep what they would type each time:
 * $XDG_CONFIG_HOME/shmscope/TOOL.conf. Lines of "name = value", '#' begins a comment. Options and
 * variables of the environment win over them.
 */
#ifndef SHMSCOPE_BASE_SETTINGS_H
#define SHMSCOPE_BASE_SETTINGS_H

#include <stddef.h>

#include "lib/base/err.h"

/*
 * settings_path - where the settings of a tool lie. file: "shmtop.conf".
 * Returns buf; NULL when there is no home directory. Safety: MT-safe, as long as nobody changes
 * the environment.
 */
char *settings_path(char *buf, size_t room, const char *file);

/*
 * settings_read - call set() for each line.
 *
 * set   returns 0, or a negative errno: with err set why, or plain (err->text empty) for what is
 *       no setting at all. name and value are borrowed.
 *
 * Returns 0, also when there is no file; -EACCES when it may not be read (a HOME that is somebody
 * else's); else what was wrong, err naming the file and the line (the lines before it count).
 * Safety: one-owner.
 */
int settings_read(const char *path,
		  int (*set)(void *arg, const char *name, const char *value, struct err *err),
		  void *arg, struct err *err);

#endif
