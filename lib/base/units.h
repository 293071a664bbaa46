/*
 * units - numbers as people write and read them (one place, so every view agrees).
 *
 * Bytes: K M G T are 1024-based ("768K", "4.0M"). Durations: "8.4 s", "3 h 10 m".
 * Counts: groups of three with a space ("48 210").
 */
#ifndef SHMSCOPE_BASE_UNITS_H
#define SHMSCOPE_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

enum { UNITS_TEXT = 32 };

/* units_bytes - an amount: "0", "812M", "2.0G". Returns buf. Safety: MT-safe. */
char *units_bytes(char buf[UNITS_TEXT], uint64_t bytes);

/* units_class - an exact size, such as a slot class: "1K", "16M". Returns buf. Safety: MT-safe. */
char *units_class(char buf[UNITS_TEXT], uint64_t bytes);

/* units_span - "0.4 s", "41 s", "3 h 10 m", "2 d 4 h". Returns buf. Safety: MT-safe. */
char *units_span(char buf[UNITS_TEXT], uint64_t ns);

/* units_age - for sentences: as units_span(), but whole seconds from ten on ("8.4 s", "41 s").
 * Returns buf. Safety: MT-safe. */
char *units_age(char buf[UNITS_TEXT], uint64_t ns);

/* units_count - "1 204", "98 112". Returns buf. Safety: MT-safe. */
char *units_count(char buf[UNITS_TEXT], uint64_t n);

/*
 * units_parse_span - "0.2s", "10 min", "5m", "1h", "250ms"; a bare number is seconds.
 * what   the option's name, for the message.
 * Returns 0; -EINVAL with err set when it is not a duration or outside [min_ns, max_ns].
 * Safety: MT-safe.
 */
int units_parse_span(const char *text, const char *what, uint64_t min_ns, uint64_t max_ns,
		     uint64_t *ns, struct err *err);

/* units_parse_bytes - "64K", "1.5M", "4096". Errors and safety as units_parse_span(). */
int units_parse_bytes(const char *text, const char *what, uint64_t min, uint64_t max,
		      uint64_t *bytes, struct err *err);

/* units_parse_u64 - a plain decimal number. Errors and safety as units_parse_span(). */
int units_parse_u64(const char *text, const char *what, uint64_t min, uint64_t max,
		    uint64_t *value, struct err *err);

#endif
