#include "lib/base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *units_bytes(char buf[UNITS_TEXT], uint64_t bytes)
{
	static const char suffix[] = { '\0', 'K', 'M', 'G', 'T', 'P', 'E' };
	double v = (double)bytes;
	unsigned s = 0;

	/* 1023.6K would print as "1024K": step up before rounding shows it */
	while (v >= 1023.5 && s < sizeof(suffix) - 1) {
		v /= 1024;
		s++;
	}
	if (s == 0)
		snprintf(buf, UNITS_TEXT, "%" PRIu64, bytes);
	else if (v < 9.95)
		snprintf(buf, UNITS_TEXT, "%.1f%c", v, suffix[s]);
	else
		snprintf(buf, UNITS_TEXT, "%.0f%c", v, suffix[s]);
	return buf;
}

char *units_class(char buf[UNITS_TEXT], uint64_t bytes)
{
	static const char suffix[] = { '\0', 'K', 'M', 'G' };
	unsigned s = 0;

	while (bytes && bytes % 1024 == 0 && s < sizeof(suffix) - 1) {
		bytes /= 1024;
		s++;
	}
	snprintf(buf, UNITS_TEXT, s ? "%" PRIu64 "%c" : "%" PRIu64, bytes, suffix[s]);
	return buf;
}

char *units_span(char buf[UNITS_TEXT], uint64_t ns)
{
	const uint64_t s = ns / 1000000000;

	if (ns < 60 * UINT64_C(1000000000))
		snprintf(buf, UNITS_TEXT, "%.1f s", (double)(ns / 100000000) / 10);
	else if (s < 600)
		snprintf(buf, UNITS_TEXT, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
	else if (s < 3600)
		snprintf(buf, UNITS_TEXT, "%" PRIu64 " m", s / 60);
	else if (s < 86400)
		snprintf(buf, UNITS_TEXT, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, UNITS_TEXT, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buf;
}

char *units_age(char buf[UNITS_TEXT], uint64_t ns)
{
	if (ns < 10 * UINT64_C(1000000000) || ns >= 60 * UINT64_C(1000000000))
		return units_span(buf, ns);
	snprintf(buf, UNITS_TEXT, "%" PRIu64 " s", ns / 1000000000);
	return buf;
}

char *units_count(char buf[UNITS_TEXT], uint64_t n)
{
	char digits[UNITS_TEXT];
	const int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *out = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ' ';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

struct unit {
	const char *name;
	double factor;
};

static int parse_scaled(const char *text, const char *what, const struct unit *units, double plain,
			const char *expected, double *value, struct err *err)
{
	char *end;

	errno = 0;
	const double v = strtod(text, &end);
	if (end == text || errno || !isfinite(v) || v < 0)
		goto bad;
	while (*end == ' ')
		end++;
	if (!*end) {
		*value = v * plain;
		return 0;
	}
	for (; units->name; units++) {
		if (strcasecmp(end, units->name) == 0) {
			*value = v * units->factor;
			return 0;
		}
	}
bad:
	err_set(err, -EINVAL, "%s: \"%s\" is not %s", what, text, expected);
	return -EINVAL;
}

static int check_range(double v, const char *text, const char *what, uint64_t min, uint64_t max,
		       const char *min_text, const char *max_text, uint64_t *value, struct err *err)
{
	/* a half unit of slack: 0.1 s is not exactly representable */
	if (v + 0.5 < (double)min || v > (double)max)
		return err_set(err, -EINVAL, "%s: \"%s\" is out of range (%s to %s)", what, text,
			       min_text, max_text);
	*value = v >= (double)UINT64_MAX ? UINT64_MAX : (uint64_t)(v + 0.5);
	return 0;
}

int units_parse_span(const char *text, const char *what, uint64_t min_ns, uint64_t max_ns,
		     uint64_t *ns, struct err *err)
{
	static const struct unit units[] = {
		{ "ns", 1 },      { "us", 1e3 },    { "ms", 1e6 },     { "s", 1e9 },
		{ "sec", 1e9 },   { "m", 60e9 },    { "min", 60e9 },   { "h", 3600e9 },
		{ "d", 86400e9 }, { NULL, 0 },
	};
	char lo[UNITS_TEXT], hi[UNITS_TEXT];
	double v;
	const int r = parse_scaled(text, what, units, 1e9, "a duration such as 0.5s, 30s or 5m", &v,
				   err);
	if (r)
		return r;
	return check_range(v, text, what, min_ns, max_ns, units_span(lo, min_ns),
			   units_span(hi, max_ns), ns, err);
}

int units_parse_bytes(const char *text, const char *what, uint64_t min, uint64_t max,
		      uint64_t *bytes, struct err *err)
{
	static const struct unit units[] = {
		{ "B", 1 },         { "K", 0x1p10 },   { "KB", 0x1p10 },  { "KiB", 0x1p10 },
		{ "M", 0x1p20 },    { "MB", 0x1p20 },  { "MiB", 0x1p20 }, { "G", 0x1p30 },
		{ "GB", 0x1p30 },   { "GiB", 0x1p30 }, { "T", 0x1p40 },   { NULL, 0 },
	};
	char lo[UNITS_TEXT], hi[UNITS_TEXT];
	double v;
	const int r = parse_scaled(text, what, units, 1, "a size such as 4096, 64K or 1.5M", &v, err);
	if (r)
		return r;
	return check_range(v, text, what, min, max, units_bytes(lo, min), units_bytes(hi, max), bytes,
			   err);
}

int units_parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *value,
		    struct err *err)
{
	char *end;

	errno = 0;
	const unsigned long long v = strtoull(text, &end, 10);
	if (end == text || *end || errno || text[0] == '-')
		return err_set(err, -EINVAL, "%s: \"%s\" is not a whole number", what, text);
	if (v < min || v > max)
		return err_set(err, -EINVAL,
			       "%s: %llu is out of range (%" PRIu64 " to %" PRIu64 ")", what, v, min,
			       max);
	*value = v;
	return 0;
}
