#include "tests/sut/sut_message.h"

#include <errno.h>
#include <string.h>

static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ b) * UINT64_C(0xff51afd7ed558ccd);
	return a ^ (a >> 32);
}

static uint64_t head_check(const struct sut_head *head, size_t len)
{
	uint64_t c = mix(head->kind, head->lane);

	c = mix(c, head->number);
	c = mix(c, ((uint64_t)head->answer_bytes << 32) | head->ask_bytes);
	return mix(c, len);
}

void sut_message_fill(void *data, size_t len, const struct sut_head *head)
{
	struct sut_head h = *head;
	unsigned char *at = data;

	h.check = head_check(head, len);
	memcpy(at, &h, sizeof(h));
	at += sizeof(h);
	len -= sizeof(h);
	uint64_t word = h.check;
	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		word += step;
		memcpy(at, &word, sizeof(word));
	}
	word += step;
	memcpy(at, &word, len);
}

int sut_message_check(const void *data, size_t len, struct sut_head *head)
{
	const unsigned char *at = data;
	uint64_t wrong = 0, got = 0;

	if (len < sizeof(*head))
		return -EBADMSG;
	memcpy(head, at, sizeof(*head));
	if (head->check != head_check(head, len))
		return -EBADMSG;
	at += sizeof(*head);
	len -= sizeof(*head);
	uint64_t word = head->check;
	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		word += step;
		memcpy(&got, at, sizeof(got));
		wrong |= got ^ word;
	}
	word += step;
	got = word;
	memcpy(&got, at, len);
	return (wrong | (got ^ word)) ? -EBADMSG : 0;
}

struct sut_arrival sut_lane_next(uint64_t *next, uint64_t number)
{
	const uint64_t expected = *next ? *next : number;

	if (number < expected)
		return (struct sut_arrival){ .duplicated = 1 };
	*next = number + 1;
	return (struct sut_arrival){ .lost = number - expected };
}

struct sut_arrival sut_window_mark(struct sut_window *w, uint32_t lane, uint64_t number)
{
	struct sut_arrival a = { 0, 0 };

	if (lane > w->lane)
		*w = (struct sut_window){ .lane = lane, .base = 1 };
	if (lane < w->lane)
		return a;
	if (number < w->base)
		return (struct sut_arrival){ .duplicated = 1 };
	for (; number >= w->base + SUT_WINDOW; w->base++) {
		uint64_t *word = &w->seen[w->base % SUT_WINDOW / 64];
		const uint64_t bit = UINT64_C(1) << (w->base % 64);

		a.lost += !(*word & bit);
		*word &= ~bit;
	}
	uint64_t *word = &w->seen[number % SUT_WINDOW / 64];
	const uint64_t bit = UINT64_C(1) << (number % 64);
	a.duplicated = (*word & bit) != 0;
	*word |= bit;
	return a;
}
