#include "tests/hub_build.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/hub/hub_check.h"
#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_stat.h"
#include "tests/t.h"

enum { EVENT_MS = HUB_BUILD_AGE_MS - 8000 };

static const struct {
	uint32_t bytes, slots, max;
} classes[] = { { 1024, 64, 512 }, { 65536, 8, 8 } };
enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void add_section(struct hub_header *h, uint32_t kind, uint32_t index, uint64_t stride,
			uint64_t count)
{
	h->section[h->section_count++] = (struct hub_section){ kind, index, h->file_bytes, stride, count };
	h->file_bytes += (stride * count + HUB_PAGE - 1) / HUB_PAGE * HUB_PAGE;
}

static void plan(struct hub_header *h, unsigned peers)
{
	h->file_bytes = HUB_PAGE;
	add_section(h, HUB_SECTION_HOST, 0, sizeof(struct hub_host), 1);
	add_section(h, HUB_SECTION_PEERS, 0, sizeof(struct hub_peer), peers + 1);
	add_section(h, HUB_SECTION_RINGS, 0,
		    sizeof(struct hub_ring) + HUB_BUILD_CELLS * sizeof(struct hub_cell), 2 * peers + 2);
	add_section(h, HUB_SECTION_CALLS, 0, sizeof(struct hub_call), HUB_BUILD_CALLS);
	add_section(h, HUB_SECTION_PEERCALLS, 0, sizeof(struct hub_call),
		    (uint64_t)HUB_PEER_CALLS * (peers + 1));
	add_section(h, HUB_SECTION_METHODS, 0, sizeof(struct hub_method), HUB_METHODS);
	add_section(h, HUB_SECTION_CLASSES, 0, sizeof(struct hub_class), CLASSES);
	for (unsigned i = 0; i < CLASSES; i++) {
		add_section(h, HUB_SECTION_SLOTS, i, sizeof(struct hub_slot), classes[i].max);
		add_section(h, HUB_SECTION_BACKED, i, 8, 2);
		add_section(h, HUB_SECTION_PAYLOAD, i, classes[i].bytes, classes[i].max);
	}
}

static void identify(struct hub_header *h)
{
	char boot[PROC_BOOT_ID];
	struct proc_stat self;
	uint64_t ns = 0;
	unsigned digits = 0;

	T_EQ(proc_boot_id(boot, NULL), 0);
	T_EQ(proc_stat(getpid(), &self, NULL), 0);
	T_EQ(proc_pidns(0, &ns, NULL), 0);
	for (const char *c = boot; *c && digits < 32; c++) {
		if (*c == '-')
			continue;
		const unsigned v = *c <= '9' ? (unsigned)(*c - '0') : (unsigned)(*c - 'a' + 10);

		h->boot_id[digits / 2] = (uint8_t)(h->boot_id[digits / 2] << 4 | v);
		digits++;
	}
	h->host_pid = getpid();
	h->host_start = self.start_ticks;
	h->pid_ns = (uint32_t)ns;
	h->created_ns = now_ns(CLOCK_MONOTONIC) - HUB_BUILD_AGE_MS * UINT64_C(1000000);
	h->created_real_ns = now_ns(CLOCK_REALTIME) - HUB_BUILD_AGE_MS * UINT64_C(1000000);
}

static void fill_header(struct hub_header *h, unsigned peers)
{
	memcpy(h->magic, HUB_MAGIC, sizeof(h->magic));
	h->byte_order = HUB_BYTE_ORDER;
	h->version = HUB_FORMAT_VERSION;
	h->header_bytes = sizeof(*h);
	h->page_bytes = HUB_PAGE;
	strcpy(h->writer, "0.1.0");
	h->peers_max = peers;
	h->ring_cells = HUB_BUILD_CELLS;
	h->classes = CLASSES;
	h->calls_max = HUB_BUILD_CALLS;
	h->uid = getuid();
	h->id = 0xfeed;
	identify(h);
	plan(h, peers);
}

static void add_peer(struct hub_build *b, unsigned id)
{
	struct hub_peer *p = hub_build_peer(b, id);

	atomic_store(&p->state, HUB_PEER_LIVE);
	p->id = (uint16_t)id;
	p->incarnation = 1;
	p->pid = getpid();
	p->start = b->header->host_start;
	p->exit_status = -1;
	p->started_ns = b->header->created_ns + 1000000;
	snprintf(p->name, sizeof(p->name), "p%u", id);
	atomic_store(&p->beat, HUB_BEAT(HUB_BEAT_ASLEEP, 0, EVENT_MS));
	atomic_store(&p->loop_tid, (uint32_t)getpid());
	atomic_store(&p->peer_asleep, HUB_ASLEEP_MESSAGE);
	atomic_store(&p->peer_asleep_ms, EVENT_MS);
}

void hub_build_open(struct hub_build *b, unsigned peers)
{
	struct hub_header h = { 0 };

	*b = (struct hub_build){ .lock = -1 };
	fill_header(&h, peers);
	snprintf(b->path, sizeof(b->path), "%s/demo.hub", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	const int fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	T_OK(fd >= 0);
	b->bytes = h.file_bytes;
	T_EQ(ftruncate(fd, (off_t)b->bytes), 0);
	b->at = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	T_OK(b->at != MAP_FAILED);
	close(fd);
	b->header = (struct hub_header *)b->at;
	*b->header = h;
	for (unsigned i = 0; i < CLASSES; i++) {
		struct hub_class *k = hub_build_class(b, i);

		k->bytes = classes[i].bytes;
		k->slots_first = classes[i].slots;
		k->slots_max = classes[i].max;
		atomic_store(&k->slots, classes[i].slots);
	}
	for (unsigned id = 1; id <= peers; id++)
		add_peer(b, id);
	atomic_store(&hub_build_host(b)->last_alive_ns,
		     h.created_ns + (HUB_BUILD_AGE_MS - 1000) * UINT64_C(1000000));
	hub_build_seal(b);
}

void hub_build_close(struct hub_build *b)
{
	if (b->at)
		munmap(b->at, b->bytes);
	if (b->lock >= 0)
		close(b->lock);
	unlink(b->path);
}

void hub_build_seal(struct hub_build *b)
{
	b->header->crc = hub_check_crc(b->header);
}

void hub_build_lock(struct hub_build *b)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	b->lock = open(b->path, O_RDWR | O_CLOEXEC);
	T_OK(b->lock >= 0);
	T_EQ(fcntl(b->lock, F_OFD_SETLK, &lock), 0);
}

void hub_build_cut(struct hub_build *b, uint64_t bytes)
{
	munmap(b->at, b->bytes);
	b->at = NULL;
	b->header = NULL;
	T_EQ(truncate(b->path, (off_t)bytes), 0);
}

struct hub_section *hub_build_section(struct hub_build *b, unsigned kind, unsigned index)
{
	for (unsigned i = 0; i < b->header->section_count; i++)
		if (b->header->section[i].kind == kind && b->header->section[i].index == index)
			return &b->header->section[i];
	T_FAIL("no section %u %u", kind, index);
}

static void *element(struct hub_build *b, unsigned kind, unsigned index, uint64_t i)
{
	const struct hub_section *s = hub_build_section(b, kind, index);

	T_OK(i < s->count);
	return b->at + s->offset + i * s->stride;
}

struct hub_host *hub_build_host(struct hub_build *b)
{
	return element(b, HUB_SECTION_HOST, 0, 0);
}

struct hub_peer *hub_build_peer(struct hub_build *b, unsigned id)
{
	return element(b, HUB_SECTION_PEERS, 0, id);
}

struct hub_ring *hub_build_ring(struct hub_build *b, unsigned peer, unsigned dir)
{
	return element(b, HUB_SECTION_RINGS, 0, 2 * peer + dir);
}

struct hub_cell *hub_build_cell(struct hub_build *b, unsigned peer, unsigned dir, uint64_t position)
{
	return &HUB_RING_CELLS(hub_build_ring(b, peer, dir))[position % HUB_BUILD_CELLS];
}

struct hub_class *hub_build_class(struct hub_build *b, unsigned i)
{
	return element(b, HUB_SECTION_CLASSES, 0, i);
}

struct hub_slot *hub_build_slot(struct hub_build *b, unsigned klass, unsigned i)
{
	return element(b, HUB_SECTION_SLOTS, klass, i);
}

void hub_build_give(struct hub_build *b, unsigned i, unsigned peer, unsigned direction,
		    unsigned state, unsigned age_ms)
{
	struct hub_slot *slot = hub_build_slot(b, 0, i);

	atomic_store(&slot->time_ms, HUB_BUILD_AGE_MS - age_ms);
	atomic_store(&slot->word, HUB_SLOT_WORD(state, direction, peer, 1, i + 1));
}

void hub_build_crowd(struct hub_build *b)
{
	hub_build_open(b, 3);
	atomic_store(&hub_build_class(b, 0)->slots, HUB_CROWD_ALL);
	for (unsigned i = 0; i < HUB_CROWD_MANY; i++)
		hub_build_give(b, i, 1, HUB_TO_PEER, i % 2 ? HUB_SLOT_HELD : HUB_SLOT_IN_FLIGHT,
			       90000 - i);
	hub_build_give(b, HUB_CROWD_SENT, 2, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 11000);
	hub_build_give(b, HUB_CROWD_LATER, 2, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 10999);
	hub_build_give(b, HUB_CROWD_ANSWER, 2, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 10998);
	hub_build_give(b, HUB_CROWD_HELD, 2, HUB_TO_PEER, HUB_SLOT_HELD, 12000);
}

struct hub_call *hub_build_call(struct hub_build *b, unsigned by, unsigned i)
{
	return by ? element(b, HUB_SECTION_PEERCALLS, 0, (uint64_t)by * HUB_PEER_CALLS + i)
		  : element(b, HUB_SECTION_CALLS, 0, i);
}

void hub_build_put(struct hub_build *b, unsigned peer, unsigned dir, unsigned cells)
{
	struct hub_ring *r = hub_build_ring(b, peer, dir);
	const uint64_t head = atomic_load(&r->head);

	for (unsigned i = cells; i-- > 0;) {
		struct hub_cell *c = hub_build_cell(b, peer, dir, head + i);

		if (i == 0) {
			c->time_ms = EVENT_MS;
			c->call = 65537;
			c->kind = HUB_KIND_CALL;
			c->method = 2;
			c->len = 10;
			c->slot = HUB_NO_SLOT;
		}
		atomic_store(&c->word, HUB_WORD(head + i, i == 0, i ? i : cells));
	}
	atomic_store(&r->head, head + cells);
	atomic_fetch_add(&r->messages, 1);
}

void hub_build_take(struct hub_build *b, unsigned peer, unsigned dir)
{
	struct hub_ring *r = hub_build_ring(b, peer, dir);
	const uint64_t tail = atomic_load(&r->tail);
	const uint64_t word = atomic_load(&hub_build_cell(b, peer, dir, tail)->word);

	atomic_store(&r->tail, tail + HUB_WORD_CELLS(word));
	atomic_fetch_add(&r->taken, 1);
	atomic_store(&r->take_ms, EVENT_MS);
}
