/*
 * hub_live - a host and its peers work while an input scribbles over the file they share.
 *
 * An input is a list of steps: words anywhere in the tables, slot words and messages that look
 * as if a peer had made them, and between those real calls, notifications, bodies and deaths.
 * The host lives in this process, so that the sanitizers see what it reads and writes; peers are
 * programs (hub_live_peer.c) that may crash as they like. After each input the peers are killed
 * (after some: left to be found out) and must come back: each answers again, no call is left
 * pending, every slot is free.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hub/hub_priv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hub_live.h"

enum {
	PEERS = 2,
	STEPS = 48,
	CALL_MS = 20,
	BACK_MS = 40000, /* a lost announcement is found by the second tick; machines are slow */
	LOOKS = 20000,   /* at what must come true */
	CALLS = 100,     /* of 500 ms, for an answer */
	LEFT_ALONE = 16, /* one input in so many is not followed by kills */
};

enum step_kind {
	STEP_WORD,    /* any word of any table */
	STEP_BITS,    /* some bits of one */
	STEP_SLOT,    /* a slot word that could be true */
	STEP_MESSAGE, /* a message to the host that no peer sent */
	STEP_CELL,    /* a cell of a ring, near where both ends are */
	STEP_CALL,
	STEP_ASYNC,
	STEP_NOTIFY,
	STEP_BODY,    /* a request of several frames */
	STEP_RESERVE,
	STEP_KILL,
	STEP_KICK,    /* the host looks without a bell */
	STEP_KINDS,
};

struct step {
	uint8_t kind, a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
};

static struct shmhub *hub;
static char data[70000];
static _Atomic int running; /* calls with fn */

/* ---- the host ------------------------------------------------------------------------------- */

/* Reads every byte that a peer, or the input, said is there. */
static unsigned sum_of(const uint8_t *p, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}

static void host_echo(struct shmhub_request *r, void *arg)
{
	(void)arg;
	const unsigned sum = sum_of(shmhub_request_data(r), shmhub_request_len(r));

	shmhub_reply(r, 0, &sum, sizeof(sum));
}

static void host_note(struct shmhub_request *r, void *arg)
{
	(void)r;
	(void)arg;
}

static void ended(void *arg, int result, struct shmhub_msg *reply)
{
	(void)arg;
	if (result || !(reply->flags & SHMHUB_MORE))
		running--;
}

static void spawn_peers(void)
{
	static char *argv[] = { "hub_live_peer", NULL };
	char self[PATH_MAX], path[PATH_MAX + 32];
	struct shmhub_error error;
	unsigned peer;
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	snprintf(path, sizeof(path), "%.*s/hub_live_peer", (int)(strrchr(self, '/') - self), self);
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "peer", .path = path, .argv = argv,
					.restart = SHMHUB_RESTART_ON_DEATH, .backoff_first_ms = 1,
					.backoff_max_ms = 1, .die_with_host = 1 };

	for (unsigned i = 0; i < PEERS; i++)
		if (shmhub_spawn(hub, &s, &peer, &error)) {
			fprintf(stderr, "%s\n", error.text);
			exit(1);
		}
}

void fuzz_start(void)
{
	struct shmhub_config config;
	struct shmhub_error error;

	shmhub_config_init(&config);
	config.memfd = 1;
	config.peers_max = PEERS;
	config.ring_cells = 16;
	config.calls_max = 16;
	config.class_count = 2;
	config.classes[0] = (struct shmhub_class){ 1024, 4, 16 };
	config.classes[1] = (struct shmhub_class){ 65536, 2, 4 };
	if (shmhub_create(&config, &hub, &error)) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	shmhub_handle(hub, FUZZ_ECHO, "echo", host_echo, NULL);
	shmhub_handle(hub, FUZZ_NOTE, "note", host_note, NULL);
	spawn_peers();
}

/* ---- scribbling ----------------------------------------------------------------------------- */

static unsigned peer_of(const struct step *s)
{
	return 1 + s->a % PEERS;
}

/* A word of a table that exists: the payload, and tables of peers there are none of, are holes. */
static _Atomic uint64_t *word_at(const struct step *s)
{
	const struct hub_header *h = &hub->map.header;
	const struct hub_section *t = &h->section[s->a % h->section_count];

	if (s->a >= 240 || t->kind == HUB_SECTION_PAYLOAD) /* the header itself */
		return (_Atomic uint64_t *)(hub->map.base + s->b % (HUB_PAGE / 8) * 8);
	const uint64_t bytes = t->kind == HUB_SECTION_SLOTS ?
				       t->stride * hub_slot_published(&hub->pool.slots, t->index) :
			       t->kind == HUB_SECTION_PEERCALLS ?
				       t->stride * HUB_PEER_CALLS * (PEERS + 1) :
				       t->stride * t->count;
	const uint64_t at = t->kind == HUB_SECTION_PEERCALLS || t->kind == HUB_SECTION_RINGS ?
				    bytes - s->b * UINT64_C(8) % (bytes / 2) - 8 : /* not peer 0's */
				    s->b * UINT64_C(8) % bytes;

	return (_Atomic uint64_t *)(hub->map.base + t->offset + (at & ~UINT64_C(7)));
}

static uint64_t value_of(const struct step *s)
{
	switch (s->c % 6) {
	case 0:
		return s->d;
	case 1:
		return 0;
	case 2:
		return ~UINT64_C(0);
	case 3:
		return s->d % 256;
	case 4:
		return HUB_WORD(s->d & 0xffff, s->d >> 16 & 1, s->d >> 17 & 7);
	default:
		return hub_get64(word_at(s)) + (s->d & 0xff) - 128;
	}
}

static unsigned incarnation_of(unsigned peer)
{
	unsigned incarnation;

	hub_link_now(&hub->link[peer], &incarnation);
	return incarnation;
}

static void scribble_slot(const struct step *s)
{
	const unsigned klass = s->b % hub->map.class_count;
	const uint32_t i = s->c % hub_slot_published(&hub->pool.slots, klass);
	_Atomic uint64_t *word = &hub_map_slot(&hub->map, klass, i)->word;
	const uint64_t gen = HUB_SLOT_GENERATION(hub_get64(word)) + (s->d >> 32 & 1);

	hub_put64(word, HUB_SLOT_WORD(s->d % 8, s->d >> 3 & 1, peer_of(s),
				      incarnation_of(peer_of(s)) + (s->d >> 4 & 1), gen));
}

/* One of the calls that are pending, as any end could read them in the file. */
static uint32_t some_call(const struct step *s)
{
	for (uint32_t i = 0; i < hub->map.header.calls_max; i++) {
		const struct hub_call *c =
			hub_table_at(&hub->map.calls, (i + s->c) % hub->map.header.calls_max);

		if (HUB_CALL_STATE(hub_get64(&c->word)) != HUB_CALL_FREE)
			return c->id;
	}
	return (uint32_t)(s->d >> 32);
}

static void forge_message(const struct step *s)
{
	const unsigned peer = peer_of(s);
	struct hub_ring *ring = hub_map_ring(&hub->map, peer, HUB_SEND);
	const uint64_t at = hub_get64(&ring->head);
	struct hub_cell *cell = &HUB_RING_CELLS(ring)[at % hub->map.header.ring_cells];
	const unsigned klass = s->b >> 12 & 1, slot = s->b >> 8 & 15;
	const uint64_t word = hub_get64(&hub_map_slot(&hub->map, klass,
			slot % hub_slot_published(&hub->pool.slots, klass))->word);

	cell->kind = s->b & 15;
	cell->flags = s->b >> 4 & 3;
	cell->method = s->c & 1 ? (uint16_t)(1 + (s->c >> 8) % 5) : (uint16_t)(s->c >> 8);
	cell->call = s->c & 2 ? some_call(s) : (uint32_t)(s->d >> 32);
	cell->slot = s->b & 0x80 ? HUB_SLOT_REF(klass, slot) : HUB_NO_SLOT;
	cell->slot_gen = s->c & 4 ? (uint32_t)HUB_SLOT_GENERATION(word) : (uint32_t)s->d;
	cell->len = s->c & 8 ? (uint32_t)s->d & 0x3f : (uint32_t)s->d;
	cell->aux = (int32_t)(s->c & 16 ? s->d >> 32 & 15 : s->d >> 32);
	cell->peer = s->c & 32 ? (uint32_t)s->d : peer | incarnation_of(peer) << 16;
	hub_put64(&cell->word, HUB_WORD(at, 1, s->c & 64 ? s->d & 7 : hub_ring_cells(cell->slot ==
			HUB_NO_SLOT && cell->len <= HUB_INLINE_MAX ? cell->len : 0)));
	if (s->c & 128)
		hub_put64(&ring->head, at + 1);
	hub_event_kick(hub, &hub->link[peer]);
}

static void scribble_cell(const struct step *s)
{
	struct hub_ring *ring = hub_map_ring(&hub->map, peer_of(s), s->b & 1);
	const uint64_t at = hub_get64(&ring->head) + (s->b >> 1 & 15) - 8;
	struct hub_cell *cell = &HUB_RING_CELLS(ring)[at % hub->map.header.ring_cells];

	if (s->b & 0x20)
		hub_put64(&cell->word, HUB_WORD(at, s->b >> 6 & 1, s->b >> 7 & 7));
	else
		memcpy((char *)cell + s->c % 57, &s->d, sizeof(s->d));
}

/* ---- traffic -------------------------------------------------------------------------------- */

static size_t size_of(const struct step *s)
{
	static const size_t sizes[] = { 0, 8, 24, 25, 192, 193, 1024, 3000, 65536, 70000 };

	return sizes[s->b % (sizeof(sizes) / sizeof(sizes[0]))];
}

static unsigned method_of(const struct step *s)
{
	return 1 + s->c % 3;
}

static void send_body(const struct step *s)
{
	uint64_t call;

	if (shmhub_call_start(hub, peer_of(s), method_of(s), data, 8, CALL_MS, SHMHUB_MORE, &call))
		return;
	for (unsigned i = 0; i < s->d % 4; i++)
		if (shmhub_call_write(hub, call, data, size_of(s) % 4096, SHMHUB_MORE | SHMHUB_NOWAIT))
			break;
	shmhub_cancel(hub, call);
	shmhub_wait(hub, call, 0, 0, NULL);
}

static void call_async(const struct step *s)
{
	uint64_t call;

	running++;
	if (shmhub_call_async(hub, peer_of(s), method_of(s), data, size_of(s), CALL_MS, SHMHUB_NOWAIT,
			      ended, NULL, &call))
		running--;
}

static void call(const struct step *s)
{
	struct shmhub_msg reply;

	if (shmhub_call(hub, peer_of(s), method_of(s), data, size_of(s), CALL_MS, &reply))
		return;
	data[0] = (char)sum_of(reply.data, reply.len);
	shmhub_msg_release(&reply);
}

static void reserve(const struct step *s)
{
	struct shmhub_buf buf;

	if (shmhub_reserve(hub, peer_of(s), size_of(s), 1, &buf))
		return;
	memset(buf.data, 1, buf.size);
	if (s->d & 1 && !shmhub_notify_buf(hub, FUZZ_TALK, &buf, buf.size, 0, SHMHUB_NOWAIT))
		return;
	shmhub_buf_release(&buf);
}

static void take_step(const struct step *s)
{
	switch (s->kind % STEP_KINDS) {
	case STEP_WORD:
		hub_put64(word_at(s), value_of(s));
		break;
	case STEP_BITS:
		hub_put64(word_at(s), hub_get64(word_at(s)) ^ UINT64_C(1) << s->d % 64);
		break;
	case STEP_SLOT:
		scribble_slot(s);
		break;
	case STEP_MESSAGE:
		forge_message(s);
		break;
	case STEP_CELL:
		scribble_cell(s);
		break;
	case STEP_CALL:
		call(s);
		break;
	case STEP_ASYNC:
		call_async(s);
		break;
	case STEP_NOTIFY:
		shmhub_notify(hub, peer_of(s), method_of(s), data, size_of(s), 1, 0);
		break;
	case STEP_BODY:
		send_body(s);
		break;
	case STEP_RESERVE:
		reserve(s);
		break;
	case STEP_KILL:
		shmhub_kill(hub, peer_of(s));
		break;
	default:
		hub_event_kick(hub, &hub->link[peer_of(s)]);
		break;
	}
}

/* ---- what must be true again ---------------------------------------------------------------- */

/* Time alone proves nothing where others take the processor: we must have looked often, too. */
static bool within(bool (*cond)(unsigned arg), unsigned arg, unsigned looks)
{
	const uint64_t end = hub_now_ns() + BACK_MS * UINT64_C(1000000);

	for (unsigned n = 0; !cond(arg); n++) {
		if (n > looks && hub_now_ns() > end)
			return false;
		usleep(200);
	}
	return true;
}

static bool answers(unsigned peer)
{
	struct shmhub_msg reply;

	if (shmhub_call(hub, peer, FUZZ_ECHO, "ping", 4, 500, &reply))
		return false;
	const bool right = reply.status == 0 && reply.len == 4 && memcmp(reply.data, "ping", 4) == 0;

	shmhub_msg_release(&reply);
	return right;
}

/* Kills again until there is a successor: one that is just being born cannot be killed yet. */
static bool is_later(unsigned than)
{
	const unsigned peer = than >> 16;

	if (hub_link_is_open(&hub->link[peer]) && (incarnation_of(peer) & 0xffff) == (than & 0xffff))
		shmhub_kill(hub, peer);
	return hub_link_is_open(&hub->link[peer]) && (incarnation_of(peer) & 0xffff) != (than & 0xffff);
}

static bool nothing_is_pending(unsigned unused)
{
	(void)unused;
	return running == 0 && hub_get32(&hub->pending) == 0;
}

static struct left {
	unsigned klass;
	uint32_t i;
	uint64_t word;
} left;

static bool all_slots_are_free(unsigned unused)
{
	(void)unused;
	for (unsigned k = 0; k < hub->map.class_count; k++)
		for (uint32_t i = 0; i < hub_slot_published(&hub->pool.slots, k); i++) {
			left = (struct left){ k, i, hub_get64(&hub_map_slot(&hub->map, k, i)->word) };
			if (HUB_SLOT_STATE(left.word) != HUB_SLOT_FREE)
				return false;
		}
	return true;
}

static bool is_open(unsigned peer)
{
	return hub_link_is_open(&hub->link[peer]);
}

/* A death of each that begins only now: what was scribbled before it is taken back. */
static void replace_all(void)
{
	for (unsigned peer = 1; peer <= PEERS; peer++) {
		within(is_open, peer, LOOKS);
		const unsigned was = peer << 16 | (incarnation_of(peer) & 0xffff);

		if (!within(is_later, was, LOOKS))
			fuzz_found("peer %u was killed and did not come back: life %d, role %#x", peer,
				   hub->link[peer].life, hub_get32(&hub->link[peer].role));
	}
}

static void check(void)
{
	for (unsigned peer = 1; peer <= PEERS; peer++)
		if (!within(answers, peer, CALLS))
			fuzz_found("peer %u does not answer: life %d, state %#x, role %#x, hung up %u", peer,
				   hub->link[peer].life, hub_get32(&hub->link[peer].state),
				   hub_get32(&hub->link[peer].role), hub_get32(&hub->link[peer].hung_up));
	if (!within(nothing_is_pending, 0, LOOKS))
		fuzz_found("calls are left pending: %u in the table, %d with fn", hub_get32(&hub->pending),
			   running);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_bytes in = { bytes, size };
	const bool left_alone = fuzz_take(&in, 1) % LEFT_ALONE == LEFT_ALONE - 1;
	struct step s;

	for (int i = 0; in.left && i < STEPS; i++) {
		s.kind = (uint8_t)fuzz_take(&in, 1);
		s.a = (uint8_t)fuzz_take(&in, 1);
		s.b = (uint16_t)fuzz_take(&in, 2);
		s.c = (uint32_t)fuzz_take(&in, 4);
		s.d = fuzz_take(&in, 8);
		take_step(&s);
	}
	if (left_alone)
		check();
	replace_all();
	check();
	if (!within(all_slots_are_free, 0, LOOKS))
		fuzz_found("slot %u.%u is not free although every peer of that time is gone: state %u,"
			   " direction %u, peer %u, incarnation %u (now %u and %u), the host's %u",
			   left.klass, left.i, HUB_SLOT_STATE(left.word), HUB_SLOT_DIRECTION(left.word),
			   HUB_SLOT_PEER(left.word), HUB_SLOT_INCARNATION(left.word), incarnation_of(1),
			   incarnation_of(2), hub->pool.slots.klass[left.klass].mine[left.i]);
	return 0;
}

/* ---- first inputs --------------------------------------------------------------------------- */

static void seed_steps(const char *name, uint8_t first, const struct step *s, unsigned n)
{
	uint8_t bytes[1 + STEPS * sizeof(*s)], *at = bytes;

	*at++ = first;
	for (unsigned i = 0; i < n; i++, at += sizeof(*s))
		memcpy(at, &s[i], sizeof(*s));
	fuzz_seed(name, bytes, (size_t)(at - bytes));
}

void fuzz_seeds(void)
{
	struct step s[STEPS];
	char name[32];

	/* each table, words of all kinds, with traffic around */
	for (unsigned t = 0; t < 16; t++) {
		for (unsigned i = 0; i < 12; i++)
			s[i] = (struct step){ i % 3 == 2 ? STEP_CALL : STEP_WORD, (uint8_t)(t + 16 * (i % 2)),
					      (uint16_t)(i * 7), i, i * 0x0101010101010101 };
		snprintf(name, sizeof(name), "table-%u", t);
		seed_steps(name, (uint8_t)t, s, 12);
	}
	/* each kind of message, plausible and wild */
	for (unsigned kind = 0; kind < 16; kind++) {
		s[0] = (struct step){ STEP_ASYNC, 0, (uint16_t)kind, 0, 0 };
		s[1] = (struct step){ STEP_MESSAGE, 0, (uint16_t)kind, 0xaf, 8 };
		s[2] = (struct step){ STEP_MESSAGE, 1, (uint16_t)(kind | 0x30), 0x9f, 0x100000004 };
		s[3] = (struct step){ STEP_MESSAGE, 0, (uint16_t)(kind | 0x80), 0x8f, 20 };
		s[4] = (struct step){ STEP_MESSAGE, 1, (uint16_t)(kind | 0x90), 0xff, ~UINT64_C(0) };
		snprintf(name, sizeof(name), "message-%u", kind);
		seed_steps(name, (uint8_t)kind, s, 5);
	}
	/* slots in each state, of each end, and traffic that needs some */
	for (unsigned state = 0; state < 16; state++) {
		for (unsigned i = 0; i < 6; i++)
			s[i] = (struct step){ STEP_SLOT, (uint8_t)i, (uint16_t)i, i / 2, state };
		s[6] = (struct step){ STEP_CALL, 0, 6, 1, 0 };
		s[7] = (struct step){ STEP_BODY, 1, 7, 0, 3 };
		s[8] = (struct step){ STEP_RESERVE, 0, 6, 0, 1 };
		snprintf(name, sizeof(name), "slot-%u", state);
		seed_steps(name, (uint8_t)state, s, 9);
	}
	for (unsigned i = 0; i < 16; i++)
		s[i] = (struct step){ (uint8_t)(STEP_CALL + i % 7), (uint8_t)(i / 7), (uint16_t)i, i, i };
	seed_steps("traffic", 0, s, 16);
	for (unsigned i = 0; i < 16; i++)
		s[i] = (struct step){ STEP_CELL, (uint8_t)(i / 8), (uint16_t)(i * 37), i * 5, i };
	seed_steps("cells", 15, s, 16);
}
