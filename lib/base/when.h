/*
 * when - moments as people type them: `14:02`, `14:02:31`, `5m` (ago), RFC 3339.
 */
#ifndef SHMSCOPE_BASE_WHEN_H
#define SHMSCOPE_BASE_WHEN_H

#include <stdint.h>

#include "lib/base/err.h"

/*
 * when_parse - a moment.
 *
 * text    a clock time is local and on the day of `now`, or on the day before where it would
 *         lie in the future; a duration is that long before `now`; RFC 3339 may end in Z, in
 *         +01:00, or without a zone (local), its T may be a blank.
 * what    the option's name, for the message.
 * now_us  CLOCK_REALTIME that clock times and durations refer to.
 * us      set to CLOCK_REALTIME in microseconds.
 *
 * Returns 0; -EINVAL with err set.
 * Safety: MT-safe.
 */
int when_parse(const char *text, const char *what, uint64_t now_us, uint64_t *us, struct err *err);

#endif
