#include "lib/state/hub_time.h"

/* Coarse clocks lag by a tick, and a word may be written between two reads of ours. */
enum { SLACK_MS = 1000 };

uint64_t hub_time_long_us(uint64_t created_us, uint64_t seen_us, uint64_t ms)
{
	if (!ms || seen_us < created_us)
		return 0;
	const uint64_t now_ms = (seen_us - created_us) / 1000;

	if (ms > now_ms + SLACK_MS)
		return 0;
	return created_us + (ms < now_ms ? ms : now_ms) * 1000;
}

uint64_t hub_time_us(uint64_t created_us, uint64_t seen_us, uint32_t ms)
{
	if (!ms || seen_us < created_us)
		return 0;
	const uint64_t now_ms = (seen_us - created_us) / 1000;
	uint32_t age = (uint32_t)now_ms - ms;

	if (age > UINT32_MAX - SLACK_MS)
		age = 0;
	return age > now_ms ? 0 : created_us + (now_ms - age) * 1000;
}
