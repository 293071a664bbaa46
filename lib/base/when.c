#include "lib/base/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/units.h"

enum { SECOND_US = 1000000, MINUTE_US = 60 * SECOND_US };
#define SPAN_MAX_NS (UINT64_C(3650) * 86400 * 1000000000)

/* "14:02" or "14:02:31"; *rest is what follows. */
static bool parse_clock(const char *text, struct tm *tm, const char **rest)
{
	int hour, minute, second = 0, end = 0;

	if (sscanf(text, "%2d:%2d%n:%2d%n", &hour, &minute, &end, &second, &end) < 2 || !end)
		return false;
	tm->tm_hour = hour;
	tm->tm_min = minute;
	tm->tm_sec = second;
	*rest = text + end;
	return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
}

static bool parse_clock_of_day(const char *text, uint64_t now_us, uint64_t *us)
{
	const time_t now = (time_t)(now_us / SECOND_US);
	const char *rest;
	struct tm tm;

	localtime_r(&now, &tm);
	tm.tm_isdst = -1;
	if (!parse_clock(text, &tm, &rest) || *rest)
		return false;
	time_t then = mktime(&tm);
	/* a minute of grace: 14:02 at 14:01:59 means this afternoon */
	if (then > now + MINUTE_US / SECOND_US) {
		tm.tm_mday--;
		tm.tm_isdst = -1;
		then = mktime(&tm);
	}
	*us = (uint64_t)then * SECOND_US;
	return then > 0;
}

/* ".8": microseconds, and what follows them. */
static int64_t parse_fraction(const char **text)
{
	int64_t us = 0, unit = SECOND_US / 10;

	if (**text != '.')
		return 0;
	for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		us += (**text - '0') * unit;
	return us;
}

/* "Z", "+01:00", "" (local); *is_local tells which. */
static bool parse_zone(const char *text, bool *is_local, int *offset_s)
{
	int hour, minute, end = 0;

	*is_local = !*text;
	*offset_s = 0;
	if (!*text || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if ((*text != '+' && *text != '-') ||
	    sscanf(text + 1, "%2d:%2d%n", &hour, &minute, &end) != 2 || text[1 + end])
		return false;
	*offset_s = (hour * 60 + minute) * 60 * (*text == '-' ? -1 : 1);
	return true;
}

static bool parse_date(const char *text, uint64_t *us)
{
	struct tm tm = { .tm_isdst = -1 };
	int end = 0, offset_s;
	const char *rest;
	bool is_local;

	if (sscanf(text, "%4d-%2d-%2d%*[T t]%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &end) < 3 ||
	    !end || !parse_clock(text + end, &tm, &rest))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	const int64_t fraction_us = parse_fraction(&rest);
	if (!parse_zone(rest, &is_local, &offset_s))
		return false;
	const time_t then = is_local ? mktime(&tm) : timegm(&tm) - offset_s;
	*us = (uint64_t)((int64_t)then * SECOND_US + fraction_us);
	return then > 0;
}

int when_parse(const char *text, const char *what, uint64_t now_us, uint64_t *us, struct err *err)
{
	uint64_t ago_ns, then_us;

	if (parse_clock_of_day(text, now_us, &then_us) || parse_date(text, &then_us)) {
		*us = then_us;
		return 0;
	}
	if (units_parse_span(text, what, 0, SPAN_MAX_NS, &ago_ns, NULL))
		return err_set(err, -EINVAL,
			       "%s: \"%s\" is not a time such as 14:02, 5m (ago) or "
			       "2026-11-20T14:02:22+01:00",
			       what, text);
	if (ago_ns / 1000 >= now_us)
		return err_set(err, -EINVAL, "%s: \"%s\" ago is before all time", what, text);
	*us = now_us - ago_ns / 1000;
	return 0;
}
