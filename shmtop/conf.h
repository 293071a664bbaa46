/*
 * conf - settings that survive: $XDG_CONFIG_HOME/shmscope/shmtop.conf, written only by W in the
 * help screen. Lines of "name = value", '#' begins a comment.
 */
#ifndef SHMSCOPE_SHMTOP_CONF_H
#define SHMSCOPE_SHMTOP_CONF_H

#include <stddef.h>

#include "lib/base/err.h"
#include "shmtop/style.h"

struct conf {
	enum scheme scheme;
	bool ascii, mouse;
};

/* conf_path - where the settings lie. Returns buf; NULL when there is no home directory.
 * Safety: one-owner (as all below). */
char *conf_path(char *buf, size_t room);

/*
 * conf_read - into *conf; what the file does not say stays as it is.
 * Returns 0, also when there is no file; -EINVAL with err set naming the line that is wrong
 * (the lines before it count).
 */
int conf_read(struct conf *conf, const char *path, struct err *err);

/* conf_write - replaces the file at once. Returns 0 or negative errno with err set. */
int conf_write(const struct conf *conf, const char *path, struct err *err);

#endif
