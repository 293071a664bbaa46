/*
 * err - one sentence about a failure, in storage that the caller owns.
 *
 * Functions that can explain themselves take a `struct err *` as their last
 * parameter; it may be NULL. Nothing is allocated, so a failure can be reported
 * with no memory left and cannot leak. Programs decide on the returned code; the
 * text is for people. Libraries never print.
 *
 * The form on the terminal (UX: "TOOL: error: OBJECT: WHAT (WHY)", then "  next:")
 * is made by err_print(): `text` is the "OBJECT: WHAT (WHY)" half, `next` the hint.
 */
#ifndef SHMSCOPE_BASE_ERR_H
#define SHMSCOPE_BASE_ERR_H

#include <stdarg.h>
#include <stdio.h>

struct err {
	int code;        /* 0 or negative errno */
	char text[480];  /* "OBJECT: WHAT (WHY)", one line */
	char next[320];  /* what to do; may be empty */
};

/*
 * err_set - record a failure and hand its code back, so that it is one statement.
 *
 * err   may be NULL.  code  negative errno.  fmt  "OBJECT: WHAT (WHY)"; %m works.
 * Returns code. Clears err->next.
 * Safety: one-owner. Uses stdio formatting: not AS-safe.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * err_next - add the "next:" half to a recorded failure.
 * Returns err->code (0 when err is NULL).
 * Safety: one-owner.
 */
int err_next(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_print_usage - the same as an error; without a hint of its own, --help is the hint. */
void err_print_usage(FILE *out, const char *tool, const struct err *err);

/*
 * err_print - "TOOL: error: TEXT" and "  next: NEXT" on `out`.
 * kind   "error", "warning" or "note".
 * Control characters in the text (file names, foreign bytes) are shown as \xNN.
 * Safety: one-owner.
 */
void err_print(FILE *out, const char *tool, const char *kind, const struct err *err);

#endif
