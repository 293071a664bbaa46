/*
 * hub_look - see hub_look.h. The order of reading is that of the dumper: host, peers and rings
 * first, because they move fastest; then classes with their slots, then calls.
 *
 * A dead hub's clock has stopped. Ages in it are counted from the last sign of life: what the
 * host stamped once a second while anything was pending, or a newer time at a peer or a ring.
 * Times of cells and slots count for that only when a message waits there: single words may be
 * scribbled over, and one wild time must not make everything else look old.
 */
#include "lib/state/hub_look.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_ring.h"
#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/base/text.h"
#include "lib/base/units.h"
#include "lib/hub/hub_check.h"
#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_outer.h"
#include "lib/state/hub_time.h"
#include "lib/state/process_look.h"

/* Slots and calls that are younger are on their way, not stuck. */
static const uint64_t YOUNG_US = 1000000;

struct hub_look {
	char *path;
	int fd;
	struct stat opened;
	struct as_hub hub;
	char boot[PROC_BOOT_ID];
	bool is_this_boot;  /* made on this machine since it was started */
	bool is_this_pidns; /* its pids mean here what they meant there */
	struct proc_outer outer; /* else: ours for them */
	char damage[AS_RING_TEXT * 2]; /* of the first page when it was opened; "" none */
	unsigned damages;
	bool wants_messages, wants_slots;
	uint8_t page[HUB_PAGE];        /* as it was then */
	size_t page_bytes;
	union as_ring_space space;
};

/* One hub_look_fill(). */
struct filling {
	struct hub_look *look;
	struct state *st;
	struct state_hub *hub;
	int64_t shift_us;
	uint64_t created_us;
	uint64_t clock_us;    /* times in the file lie before this, or near it */
	uint64_t newest_us;   /* the newest sign of life so far */
	bool is_live;
	char damage[AS_RING_TEXT * 2];
	unsigned damages;
	bool no_memory;
};

static uint64_t mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* relaxed: words of a private copy, which nobody else writes */
#define WORD(w) atomic_load_explicit(&(w), memory_order_relaxed)

/* ---- opening ----------------------------------------------------------------------------- */

static void boot_text(const uint8_t id[16], char text[PROC_BOOT_ID])
{
	size_t len = 0;

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[len++] = '-';
		len += (size_t)snprintf(text + len, PROC_BOOT_ID - len, "%02x", id[i]);
	}
}

static void identify(struct hub_look *look)
{
	const struct hub_header *h = &look->hub.header;
	char here[PROC_BOOT_ID];
	uint64_t ns = 0;

	boot_text(h->boot_id, look->boot);
	look->is_this_boot = !proc_boot_id(here, NULL) && strcmp(here, look->boot) == 0;
	look->is_this_pidns = look->is_this_boot && !proc_pidns(0, &ns, NULL) &&
			      (uint32_t)ns == h->pid_ns;
}

__attribute__((format(printf, 4, 5))) static void say(char *text, size_t room, unsigned *n,
						      const char *fmt, ...)
{
	va_list ap;

	/* the first is told whole, further ones are counted */
	if ((*n)++)
		return;
	va_start(ap, fmt);
	vsnprintf(text, room, fmt, ap);
	va_end(ap);
}
#define LOOK_DAMAGE(look, ...) \
	say((look)->damage, sizeof((look)->damage), &(look)->damages, __VA_ARGS__)

/* Limits that were scribbled over are told by the tables they describe. */
static void heal_limits(struct hub_look *look)
{
	struct hub_header *h = &look->hub.header;
	const struct hub_section *peers = hub_check_section(h, HUB_SECTION_PEERS, 0);
	const struct hub_section *rings = hub_check_section(h, HUB_SECTION_RINGS, 0);
	const struct hub_section *classes = hub_check_section(h, HUB_SECTION_CLASSES, 0);
	const uint64_t cells = rings && rings->stride > sizeof(struct hub_ring)
				       ? (rings->stride - sizeof(struct hub_ring)) / sizeof(struct hub_cell)
				       : 0;

	if (peers && h->peers_max + 1 != peers->count) {
		LOOK_DAMAGE(look, "header: %" PRIu32 " peers at most, but its table has %" PRIu64 " entries",
			    h->peers_max, peers->count);
		h->peers_max = peers->count - 1 < HUB_PEERS_MAX ? (uint32_t)(peers->count - 1)
								: HUB_PEERS_MAX;
	}
	if (cells && h->ring_cells != cells) {
		LOOK_DAMAGE(look, "header: rings of %" PRIu32 " cells, but their table has room for %" PRIu64,
			    h->ring_cells, cells);
		h->ring_cells = cells <= HUB_RING_CELLS_MAX ? (uint32_t)cells : 0;
	}
	if (classes && h->classes > classes->count) {
		LOOK_DAMAGE(look, "header: %" PRIu32 " classes, but their table has %" PRIu64 " entries",
			    h->classes, classes->count);
		h->classes = (uint32_t)classes->count;
	}
	if (h->ring_cells < HUB_RING_CELLS_MIN || (h->ring_cells & (h->ring_cells - 1))) {
		LOOK_DAMAGE(look, "header: rings of %" PRIu32 " cells (a power of two from %d is legal)",
			    h->ring_cells, HUB_RING_CELLS_MIN);
		h->ring_cells = HUB_RING_CELLS_MIN;
	}
	if (h->classes > HUB_CLASSES_MAX)
		h->classes = HUB_CLASSES_MAX;
}

static bool overlap(const struct hub_section *a, const struct hub_section *b)
{
	return a->offset < b->offset + b->stride * b->count &&
	       b->offset < a->offset + a->stride * a->count;
}

/* Sections lie inside the file: that was checked. They may still lie on each other. */
static void check_overlap(struct hub_look *look)
{
	const struct hub_header *h = &look->hub.header;

	for (unsigned i = 0; i < h->section_count; i++) {
		const struct hub_section *a = &h->section[i];

		for (unsigned k = i + 1; k < h->section_count && a->kind; k++) {
			const struct hub_section *b = &h->section[k];

			if (b->kind && overlap(a, b))
				LOOK_DAMAGE(look, "section table: %s %" PRIu32 " and %s %" PRIu32
					    " lie on each other (offsets %" PRIu64 " and %" PRIu64 ")",
					    hub_check_kind_name(a->kind), a->index,
					    hub_check_kind_name(b->kind), b->index, a->offset, b->offset);
		}
	}
}

/* The state names the file itself. */
static const char *without_path(const struct hub_look *look, const char *text)
{
	const size_t len = strlen(look->path);

	return strncmp(text, look->path, len) == 0 && text[len] == ':' && text[len + 1] == ' '
		       ? text + len + 2
		       : text;
}

static int read_first_page(struct hub_look *look, struct err *err)
{
	struct err damage = { 0 };
	const ssize_t n = pread(look->fd, look->page, sizeof(look->page), 0);

	if (n < 0)
		return err_set(err, -errno, "%s: cannot be read (%m)", look->path);
	look->page_bytes = (size_t)n;
	look->hub.fd = look->fd;
	look->hub.file_bytes = (uint64_t)look->opened.st_size;
	const int e = hub_check_header(look->path, look->page, look->page_bytes,
				       look->hub.file_bytes, &look->hub.header, &damage, err);

	if (e)
		return e;
	if (damage.code)
		LOOK_DAMAGE(look, "%s", without_path(look, damage.text));
	heal_limits(look);
	check_overlap(look);
	identify(look);
	return 0;
}

int hub_look_unreadable(const char *path, struct err *err)
{
	const int e = err_set(err, -errno, "%s: cannot be read (%m)", *path ? path : "\"\"");

	if (e == -ENOENT)
		err_next(err, "`shmtop` without arguments lists the hubs it finds");
	else
		err_next(err, e == -EACCES ? "read it as its owner" : "check the path");
	return e;
}

int hub_look_open(const char *path, struct hub_look **look, struct err *err)
{
	struct hub_look *made = calloc(1, sizeof(*made));

	if (!made)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	made->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	made->path = strdup(path);
	int e;

	if (made->fd < 0 || fstat(made->fd, &made->opened))
		e = hub_look_unreadable(path, err);
	else if (!made->path)
		e = err_set(err, -ENOMEM, "%s: out of memory", path);
	else if (!S_ISREG(made->opened.st_mode))
		e = err_set(err, -EBADMSG, "%s: not a hub file (not even a regular one)", path);
	else
		e = read_first_page(made, err);
	if (e)
		hub_look_close(made);
	else
		*look = made;
	return e;
}

void hub_look_close(struct hub_look *look)
{
	if (!look)
		return;
	if (look->fd >= 0)
		close(look->fd);
	free(look->path);
	proc_outer_fini(&look->outer);
	free(look);
}

void hub_look_want(struct hub_look *look, bool messages, bool slots)
{
	look->wants_messages = messages;
	look->wants_slots = slots;
}

const char *hub_look_path(const struct hub_look *look)
{
	return look->path;
}

const char *hub_look_boot(const struct hub_look *look)
{
	return look->boot;
}

int64_t hub_look_real_offset_us(const struct hub_look *look)
{
	const struct hub_header *h = &look->hub.header;

	return (int64_t)(h->created_real_ns / 1000) - (int64_t)(h->created_ns / 1000);
}

bool hub_look_is_live(const struct hub_look *look)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* asks only: nothing is locked by it */
	return look->is_this_boot && fcntl(look->fd, F_OFD_GETLK, &lock) == 0 &&
	       lock.l_type != F_UNLCK;
}

bool hub_look_is_replaced(const struct hub_look *look)
{
	struct stat now;

	return stat(look->path, &now) || now.st_ino != look->opened.st_ino ||
	       now.st_dev != look->opened.st_dev;
}

/* ---- words ------------------------------------------------------------------------------- */

#define DAMAGE(f, ...) say((f)->damage, sizeof((f)->damage), &(f)->damages, __VA_ARGS__)

static const char *copy_text(struct filling *f, const char *bytes, size_t n)
{
	char text[640];

	text_printable(text, sizeof(text), bytes, n);
	const char *made = arena_strdup(&f->st->arena, text);

	f->no_memory |= !made;
	return made;
}

static uint64_t shifted(const struct filling *f, uint64_t us)
{
	return us ? us + (uint64_t)f->shift_us : 0;
}

/* A sign of life, not yet shifted. */
static void alive_at(struct filling *f, uint64_t us)
{
	if (us > f->newest_us && us <= f->clock_us)
		f->newest_us = us;
}

static uint64_t ms_unshifted(const struct filling *f, uint32_t ms)
{
	return hub_time_us(f->created_us, f->clock_us, ms);
}

static uint64_t ms_time(const struct filling *f, uint32_t ms)
{
	return shifted(f, ms_unshifted(f, ms));
}

/* ... of which it is also a sign of life. */
static uint64_t ms_alive(struct filling *f, uint32_t ms)
{
	const uint64_t us = ms_unshifted(f, ms);

	alive_at(f, us);
	return shifted(f, us);
}

static uint64_t ns_time(const struct filling *f, uint64_t ns)
{
	return ns / 1000 <= f->clock_us ? shifted(f, ns / 1000) : 0;
}

/*
 * The first page never changes. If it does, or the file gets shorter, somebody scribbled there
 * while we looked on: that is told, and what it said before is still used.
 */
static void check_first_page(struct filling *f)
{
	struct hub_look *look = f->look;
	_Alignas(8) uint8_t page[HUB_PAGE];
	struct hub_header now;
	struct stat file;
	struct err damage = { 0 }, err;
	const ssize_t n = pread(look->fd, page, sizeof(page), 0);

	if (n < 0 || fstat(look->fd, &file)) {
		DAMAGE(f, "header: cannot be read any more (%s)", strerror(errno));
		return;
	}
	if ((size_t)n == look->page_bytes && memcmp(page, look->page, (size_t)n) == 0 &&
	    file.st_size >= look->opened.st_size)
		return;
	if (hub_check_header(look->path, page, (size_t)n, (uint64_t)file.st_size, &now, &damage, &err))
		DAMAGE(f, "%s", without_path(look, err.text));
	else if (damage.code)
		DAMAGE(f, "%s", without_path(look, damage.text));
	else
		DAMAGE(f, "header: it is not what it was when the hub was opened");
}

/* ---- host and peers ---------------------------------------------------------------------- */

/* The number here of a process or thread there; 0: not known. */
static int32_t known_here(struct hub_look *look, int32_t there)
{
	if (look->is_this_pidns || !look->is_this_boot)
		return there;
	return proc_outer_of(&look->outer, look->hub.header.pid_ns, there);
}

static int32_t number_here(struct hub_look *look, int32_t there)
{
	const int32_t here = known_here(look, there);

	return here ? here : there;
}

/* Is it still the process that the file means? */
static enum state_answer is_alive(struct hub_look *look, int32_t pid, uint64_t start)
{
	if (!look->is_this_boot)
		return STATE_NO;
	pid = known_here(look, pid);
	if (pid <= 0)
		return STATE_UNKNOWN;
	return process_look_is_alive(pid, start) ? STATE_YES
	       : look->is_this_pidns		 ? STATE_NO
						 : STATE_UNKNOWN;
}

static uint32_t tid_here(const struct filling *f, uint32_t there)
{
	return there ? (uint32_t)number_here(f->look, (int32_t)there) : 0;
}

static void fill_host(struct filling *f)
{
	const struct hub_header *h = &f->look->hub.header;
	struct state_hub *hub = f->hub;
	struct hub_host host;
	const int e = as_hub_host(&f->look->hub, &host);

	hub->id = h->id;
	hub->file_version = h->version;
	hub->writer = copy_text(f, h->writer, sizeof(h->writer));
	hub->created_us = shifted(f, f->created_us);
	hub->file_bytes = h->file_bytes;
	hub->host_pid = number_here(f->look, h->host_pid);
	hub->host_start = h->host_start;
	hub->host_alive = is_alive(f->look, h->host_pid, h->host_start);
	if (hub->host_alive == STATE_UNKNOWN)
		hub->host_alive = f->is_live ? STATE_YES : STATE_NO;
	hub->ring_cells = h->ring_cells;
	hub->calls_max = h->calls_max;
	if (e) {
		DAMAGE(f, "the host's words cannot be read (%s)", strerror(-e));
		return;
	}
	alive_at(f, WORD(host.last_alive_ns) / 1000);
	hub->last_alive_us = ns_time(f, WORD(host.last_alive_ns));
	hub->stopping = WORD(host.stopping) != 0;
	hub->calls_pending = WORD(host.calls_pending);
	hub->calls_waited = WORD(host.calls_waited);
	hub->calls_refused = WORD(host.calls_refused);
	hub->no_space = WORD(host.no_space);
	hub->no_space_us = ns_time(f, WORD(host.no_space_ns));
}

static void fill_beat(struct filling *f, uint64_t word, struct state_beat *beat)
{
	const uint64_t us = hub_time_long_us(f->created_us, f->clock_us, HUB_BEAT_MS(word));

	if (HUB_BEAT_STATE(word) > HUB_BEAT_RUNNING)
		return;
	beat->state = (uint8_t)HUB_BEAT_STATE(word);
	beat->method = (uint16_t)HUB_BEAT_METHOD(word);
	beat->since_us = shifted(f, us);
	alive_at(f, us);
}

static void fill_message(const struct as_message *from, struct state_message *m)
{
	*m = (struct state_message){
		.is_there = from->is_there,
		.position = from->position,
		.call = from->call,
		.len = from->len,
		.slot = from->slot,
		.kind = from->kind,
		.flags = from->flags,
		.method = from->method,
		.aux = from->aux,
	};
}

/* One that waits. Its time is a sign of life. */
static void fill_waiting(struct filling *f, const struct as_message *from, struct state_message *m)
{
	fill_message(from, m);
	if (from->is_there)
		m->time_us = ms_alive(f, from->time_ms);
}

/* The last messages of a ring, whether they wait or were taken. */
static void fill_recent(struct filling *f, unsigned peer, unsigned dir, const struct as_ring *ring,
			struct state_ring *r)
{
	struct as_message recent[HUB_LOOK_RECENT];
	const int n = as_ring_history(&f->look->hub, peer, dir, &f->look->space, ring, recent,
				      HUB_LOOK_RECENT);

	if (n <= 0)
		return;
	r->recent = arena_take(&f->st->arena, (size_t)n * sizeof(*r->recent));
	if (!r->recent) {
		f->no_memory = true;
		return;
	}
	for (int i = 0; i < n; i++) {
		fill_message(&recent[i], &r->recent[i]);
		r->recent[i].time_us = ms_time(f, recent[i].time_ms);
	}
	r->recents = (size_t)n;
}

static void fill_ring(struct filling *f, unsigned peer, unsigned dir, struct state_ring *r)
{
	struct as_ring ring;
	const int e = as_ring_read(&f->look->hub, peer, dir, &f->look->space, &ring);
	const struct hub_ring *w = &ring.words;

	if (e) {
		r->damage = e == -ENOENT ? "there is no such ring in the file"
					 : "the file ends before it";
		return;
	}
	r->head = ring.head;
	r->tail = ring.tail;
	r->published = ring.published;
	r->capacity = ring.capacity;
	r->read = WORD(w->taken);
	r->bytes = WORD(w->bytes);
	r->sending_tid = tid_here(f, WORD(w->sending));
	r->bells = WORD(w->bells);
	r->bell_head = WORD(w->bell_head);
	r->bell_us = ms_alive(f, WORD(w->bell_ms));
	r->take_us = ms_alive(f, WORD(w->take_ms));
	r->sleeps = WORD(w->sleeps);
	r->full = WORD(w->full);
	r->full_waits = WORD(w->full_waits);
	r->rescues = WORD(w->rescues);
	r->refused = WORD(w->refused);
	if (ring.damage[0]) {
		r->damage = copy_text(f, ring.damage, sizeof(ring.damage));
	} else {
		r->waiting = ring.waiting;
		fill_waiting(f, &ring.oldest, &r->oldest);
		fill_waiting(f, &ring.newest, &r->newest);
		if (f->look->wants_messages)
			fill_recent(f, peer, dir, &ring, r);
	}
	r->written = r->read + r->waiting;
}

static void check_peer(struct filling *f, unsigned i, const struct hub_peer *p)
{
	const struct hub_section *s = as_hub_section(&f->look->hub, HUB_SECTION_PEERS, 0);
	const uint64_t at = s->offset + i * s->stride;

	if (WORD(p->state) > HUB_PEER_QUARANTINED)
		DAMAGE(f, "peer %u: state %" PRIu32 " does not exist (at offset %" PRIu64 ")", i,
		       WORD(p->state), at);
	else if (p->id != i)
		DAMAGE(f, "peer %u: its entry says %u (at offset %" PRIu64 ")", i, p->id,
		       at + offsetof(struct hub_peer, id));
}

static void fill_peer(struct filling *f, unsigned i, const struct hub_peer *from)
{
	struct state_peer *p = state_add_peer(f->st, f->hub, i);

	if (!p) {
		f->no_memory = true;
		return;
	}
	check_peer(f, i, from);
	p->name = copy_text(f, from->name, sizeof(from->name));
	p->pid = number_here(f->look, from->pid);
	p->start = from->start;
	p->state = WORD(from->state);
	p->alive = is_alive(f->look, from->pid, from->start);
	p->incarnation = from->incarnation;
	p->restarts = from->restarts;
	p->exit_status = from->exit_status;
	p->started_us = ns_time(f, from->started_ns);
	p->died_us = ns_time(f, from->died_ns);
	alive_at(f, from->started_ns / 1000);
	alive_at(f, from->died_ns / 1000);
	fill_beat(f, WORD(from->beat), &p->beat);
	fill_beat(f, WORD(from->host_beat), &p->host_beat);
	p->loop_tid = tid_here(f, WORD(from->loop_tid));
	p->host_tid = tid_here(f, WORD(from->host_asleep_tid));
	p->host_handler_tid = tid_here(f, WORD(from->host_handler_tid));
	p->flag = WORD(from->peer_asleep);
	p->host_flag = WORD(from->host_asleep);
	p->flag_us = ms_alive(f, WORD(from->peer_asleep_ms));
	p->host_flag_us = ms_alive(f, WORD(from->host_asleep_ms));
	p->calls_pending = WORD(from->calls_pending);
	p->slots_held = WORD(from->slots_held);
	p->alloc_failed = WORD(from->alloc_failed);
	p->host_alloc_failed = WORD(from->host_alloc_failed);
	p->handled = WORD(from->handled);
	p->too_large = WORD(from->too_large);
	p->too_large_bytes = WORD(from->too_large_bytes);
	p->host_too_large = WORD(from->host_too_large);
	p->host_too_large_bytes = WORD(from->host_too_large_bytes);
	if (i == 0)
		return; /* the host has no rings of its own */
	fill_ring(f, i, HUB_RECV, &p->ring[HUB_RECV]);
	fill_ring(f, i, HUB_SEND, &p->ring[HUB_SEND]);
}

static void fill_peers(struct filling *f)
{
	const unsigned n = as_hub_peers(&f->look->hub);
	struct hub_peer peer;

	if (!n)
		DAMAGE(f, "there is no table of peers");
	for (unsigned i = 0; i < n && !f->no_memory; i++) {
		const int e = as_hub_peer(&f->look->hub, i, &peer);

		if (e) {
			DAMAGE(f, "peer %u and those after it cannot be read (%s)", i,
			       e == -ENODATA ? "the file ends before" : strerror(-e));
			return;
		}
		if (WORD(peer.state) != HUB_PEER_UNUSED)
			fill_peer(f, i, &peer);
	}
}

/* ---- slots ------------------------------------------------------------------------------- */

static int by_time(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_slot_time(const void *a, const void *b)
{
	return by_time(((const struct state_slot *)a)->time_us,
		       ((const struct state_slot *)b)->time_us);
}

static int by_call_time(const void *a, const void *b)
{
	return by_time(((const struct state_call *)a)->started_us,
		       ((const struct state_call *)b)->started_us);
}

/* Not free, and no longer young: 0 as time is an age that nobody knows. */
static bool is_listed(const struct filling *f, const struct hub_slot *slot)
{
	const uint64_t word = WORD(slot->word);
	const uint64_t us = ms_unshifted(f, WORD(slot->time_ms));

	return HUB_SLOT_STATE(word) != HUB_SLOT_FREE && as_slot_is_sane(&f->look->hub, word) &&
	       us + YOUNG_US <= f->newest_us;
}

static struct state_slot slot_of(const struct filling *f, unsigned klass, uint32_t index,
				 const struct hub_slot *slot)
{
	const uint64_t word = WORD(slot->word);

	return (struct state_slot){
		.klass = klass,
		.index = index,
		.slot_state = (uint8_t)HUB_SLOT_STATE(word),
		.direction = (uint8_t)HUB_SLOT_DIRECTION(word),
		.peer = (uint16_t)HUB_SLOT_PEER(word),
		.incarnation = (uint16_t)HUB_SLOT_INCARNATION(word),
		.generation = HUB_SLOT_GENERATION(word),
		.time_us = ms_time(f, WORD(slot->time_ms)),
		.bytes = WORD(slot->bytes),
		.call = WORD(slot->call),
		.method = WORD(slot->method),
	};
}

/*
 * A list that only keeps its oldest. There may be a million of them, of which 256 are shown.
 * More than LIST elements are never held: then the youngest are dropped.
 */
enum { LIST = 4096, OLDEST_WITH = 2 * (HUB_PEERS_MAX + 1) };

static void keep_oldest(void *all, size_t *n, size_t element, size_t most,
			int (*compare)(const void *, const void *))
{
	if (*n)
		qsort(all, *n, element, compare);
	if (*n > most)
		*n = most;
}

static void add_slot(struct filling *f, const struct state_slot *slot)
{
	struct state_hub *hub = f->hub;

	if (ARENA_GROW(&f->st->arena, hub->slot, hub->slots, hub->slots_room))
		f->no_memory = true;
	else
		hub->slot[hub->slots++] = *slot;
}

/* All that are not free, in order of their index. */
static void list_slot(struct filling *f, unsigned klass, uint32_t index, const struct hub_slot *slot,
		      uint32_t *listed)
{
	struct state_hub *hub = f->hub;

	if (HUB_SLOT_STATE(WORD(slot->word)) == HUB_SLOT_FREE ||
	    !as_slot_is_sane(&f->look->hub, WORD(slot->word)))
		return;
	if (++*listed > HUB_LOOK_EVERY)
		hub->every_left_out++;
	else if (ARENA_GROW(&f->st->arena, hub->every, hub->everys, hub->everys_room))
		f->no_memory = true;
	else
		hub->every[hub->everys++] = slot_of(f, klass, index, slot);
}

/* The oldest slots in flight to each peer and from it: 2 * peer + direction. */
static void note_oldest_with(struct state_slot *oldest, const struct state_slot *slot)
{
	if (slot->slot_state != HUB_SLOT_IN_FLIGHT || slot->peer > HUB_PEERS_MAX)
		return;
	struct state_slot *o = &oldest[2 * slot->peer + slot->direction];

	if (!o->peer || by_slot_time(slot, o) < 0)
		*o = *slot;
}

/* Those of them that are not listed as the oldest of all. */
static void add_oldest_with(struct filling *f, const struct state_slot *listed, size_t n,
			    const struct state_slot *oldest)
{
	for (unsigned i = 0; i < OLDEST_WITH && !f->no_memory; i++) {
		bool is_there = !oldest[i].peer;

		/* they stand in order of time: one that is not younger than the last may be there */
		if (!is_there && n && by_slot_time(&oldest[i], &listed[n - 1]) <= 0)
			for (size_t k = 0; k < n && !is_there; k++)
				is_there = listed[k].index == oldest[i].index;
		if (!is_there)
			add_slot(f, &oldest[i]);
	}
}

/* As as_record_hub() chooses them: one who holds hundreds must not hide what another lost. */
static void fill_slots(struct filling *f, unsigned klass)
{
	FREES struct state_slot *all = NULL;
	FREES struct state_slot *oldest = calloc(OLDEST_WITH, sizeof(*oldest));
	size_t n = 0, room = 0;
	struct as_ring_walk walk;
	const struct hub_slot *slot;
	uint32_t index, listed = 0;

	if (as_slots_begin(&walk, &f->look->hub, klass, &f->look->space))
		return; /* said by as_class_read() */
	while (as_slots_next(&walk, &slot, &index) == 1) {
		if (f->look->wants_slots)
			list_slot(f, klass, index, slot, &listed);
		if (!is_listed(f, slot))
			continue;
		if (n == LIST)
			keep_oldest(all, &n, sizeof(*all), HUB_LOOK_SLOTS, by_slot_time);
		if (!oldest || !GROW(all, n, room)) {
			f->no_memory = true;
			return;
		}
		all[n] = slot_of(f, klass, index, slot);
		note_oldest_with(oldest, &all[n++]);
	}
	keep_oldest(all, &n, sizeof(*all), HUB_LOOK_SLOTS, by_slot_time);
	for (size_t i = 0; i < n && !f->no_memory; i++)
		add_slot(f, &all[i]);
	if (n == HUB_LOOK_SLOTS)
		add_oldest_with(f, all, n, oldest);
}

static void fill_owners(struct filling *f, const struct as_class *from, struct state_class *class)
{
	if (!from->owners)
		return;
	class->owner = arena_take(&f->st->arena, from->owners * sizeof(*class->owner));
	if (!class->owner) {
		f->no_memory = true;
		return;
	}
	for (unsigned i = 0; i < from->owners; i++)
		class->owner[class->owners++] = (struct state_owner){
			.peer = from->owner[i].peer,
			.incarnation = from->owner[i].incarnation,
			.direction = from->owner[i].direction,
			.slot_state = from->owner[i].state,
			.n = from->owner[i].n,
			.oldest_us = ms_time(f, from->owner[i].oldest_ms),
		};
}

static void fill_class(struct filling *f, unsigned i)
{
	struct as_class k;
	struct state_hub *hub = f->hub;
	const int e = as_class_read(&f->look->hub, i, &f->look->space, &k);

	if (e) {
		DAMAGE(f, "class %u cannot be read (%s)", i,
		       e == -ENOENT ? "its table is missing or misshapen" : "the file ends before");
		return;
	}
	if (ARENA_GROW(&f->st->arena, hub->klass, hub->classes, hub->classes_room)) {
		f->no_memory = true;
		return;
	}
	struct state_class *class = &hub->klass[hub->classes++];

	class->index = i;
	class->bytes = k.words.bytes;
	class->slots = k.slots;
	class->slots_max = k.words.slots_max;
	class->answers = k.words.slots_answers;
	memcpy(class->count, k.count, sizeof(class->count));
	class->bad = k.bad;
	class->first_bad = k.first_bad;
	class->first_bad_word = k.first_bad_word;
	class->first_bad_at = k.first_bad_at;
	class->damage = k.damage[0] ? copy_text(f, k.damage, sizeof(k.damage)) : NULL;
	class->waiters = WORD(k.words.waiters);
	class->claims = WORD(k.words.claims);
	class->failed = WORD(k.words.failed);
	class->no_space = WORD(k.words.no_space);
	class->owners_left_out = k.owners_left_out;
	fill_owners(f, &k, class);
	fill_slots(f, i);
}

static void fill_classes(struct filling *f)
{
	const unsigned n = f->look->hub.header.classes;

	f->hub->slots_listed = true;
	for (unsigned i = 0; i < n && !f->no_memory; i++)
		fill_class(f, i);
}

/* ---- calls ------------------------------------------------------------------------------- */

/* An entry that is just being filled or reused says so by its generation. */
static bool is_whole(const struct hub_call *call)
{
	return HUB_CALL_GENERATION(WORD(call->word)) == call->id >> 16 &&
	       HUB_CALL_STATE(WORD(call->word)) <= HUB_CALL_CANCELLED;
}

static struct state_call call_of(const struct filling *f, unsigned by, const struct hub_call *call)
{
	const uint64_t word = WORD(call->word);

	return (struct state_call){
		.by = (uint16_t)by,
		.id = call->id,
		.call_state = (uint8_t)HUB_CALL_STATE(word),
		.peer = by ? 0 : (uint16_t)HUB_CALL_PEER(word),
		.method = call->method,
		.enqueued_peer = call->enqueued_peer,
		.enqueued_at = call->enqueued_at,
		.started_us = ns_time(f, call->started_ns),
		.tid = tid_here(f, call->caller_tid),
		.deadline_ms = call->deadline_ms,
		.bytes = call->bytes,
		.for_call = call->for_call,
		.for_peer = call->for_peer,
	};
}

static void add_call(struct filling *f, const struct state_call *call)
{
	struct state_hub *hub = f->hub;

	if (ARENA_GROW(&f->st->arena, hub->call, hub->calls, hub->calls_room))
		f->no_memory = true;
	else
		hub->call[hub->calls++] = *call;
}

struct call_list {
	struct state_call *call;
	size_t n, room;
};

static void list_call(struct filling *f, struct call_list *list, const struct state_call *call)
{
	if (list->n == LIST)
		keep_oldest(list->call, &list->n, sizeof(*call), HUB_LOOK_CALLS, by_call_time);
	if (GROW(list->call, list->n, list->room))
		list->call[list->n++] = *call;
	else
		f->no_memory = true;
}

static void add_oldest(struct filling *f, struct call_list *list)
{
	keep_oldest(list->call, &list->n, sizeof(*list->call), HUB_LOOK_CALLS, by_call_time);
	for (size_t i = 0; i < list->n && !f->no_memory; i++)
		add_call(f, &list->call[i]);
}

/* The oldest call to each peer, where it is not among the oldest of all. */
static void add_oldest_to(struct filling *f, const struct call_list *listed,
			  const struct state_call *oldest_to)
{
	const uint64_t limit = listed->n == HUB_LOOK_CALLS ? listed->call[listed->n - 1].started_us
							   : UINT64_MAX;

	for (unsigned i = 0; i <= HUB_PEERS_MAX && !f->no_memory; i++)
		if (oldest_to[i].id && oldest_to[i].started_us > limit)
			add_call(f, &oldest_to[i]);
}

/* As as_record_hub() chooses them: a peer that swallows thousands must not hide the others. */
static void fill_calls_of(struct filling *f, unsigned by)
{
	struct call_list usual = { 0 }, telling = { 0 };
	FREES struct state_call *oldest_to =
		by ? NULL : calloc(HUB_PEERS_MAX + 1, sizeof(*oldest_to));
	struct as_ring_walk walk;
	const struct hub_call *call;

	f->no_memory |= !by && !oldest_to;
	if (as_calls_begin(&walk, &f->look->hub, by, &f->look->space))
		return;
	while (!f->no_memory && as_calls_next(&walk, &call) == 1) {
		if (!is_whole(call))
			continue;
		const struct state_call one = call_of(f, by, call);

		if (as_call_is_telling(call, by)) {
			list_call(f, &telling, &one);
			continue;
		}
		list_call(f, &usual, &one);
		if (!by && one.peer <= HUB_PEERS_MAX &&
		    (!oldest_to[one.peer].id ||
		     one.started_us < oldest_to[one.peer].started_us))
			oldest_to[one.peer] = one;
	}
	add_oldest(f, &usual);
	add_oldest(f, &telling);
	if (!f->no_memory && !by)
		add_oldest_to(f, &usual, oldest_to);
	free(usual.call);
	free(telling.call);
}

static void fill_calls(struct filling *f)
{
	fill_calls_of(f, 0);
	for (size_t i = 0; i < f->hub->peers && !f->no_memory; i++)
		if (f->hub->peer[i].id)
			fill_calls_of(f, f->hub->peer[i].id);
}

/* ---- methods ----------------------------------------------------------------------------- */

static void fill_methods(struct filling *f)
{
	struct state_hub *hub = f->hub;
	struct hub_method row;

	for (unsigned i = 0; !f->no_memory && as_method_read(&f->look->hub, i, &row) == 0; i++) {
		if (!WORD(row.method) || WORD(row.method) > UINT16_MAX || !WORD(row.calls))
			continue;
		if (ARENA_GROW(&f->st->arena, hub->method, hub->methods, hub->methods_room)) {
			f->no_memory = true;
			return;
		}
		struct state_method *m = &hub->method[hub->methods++];

		*m = (struct state_method){ .method = (uint16_t)WORD(row.method),
					    .calls = WORD(row.calls),
					    .failed = WORD(row.failed) };
		if (row.name[0])
			m->name = copy_text(f, row.name, sizeof(row.name));
		for (unsigned b = 0; b < HUB_LATENCY_BUCKETS; b++)
			m->bucket[b] = WORD(row.bucket[b]);
	}
}

/* ---- the hub ----------------------------------------------------------------------------- */

/* Times in the file lie before this. */
static uint64_t clock_of(const struct hub_look *look, uint64_t created_us)
{
	struct hub_host host;
	uint64_t last_us = created_us;

	if (look->is_this_boot)
		return mono_us();
	/* another boot's clock: 24 days of the hub's life are beyond doubt, and what follows the
	   last stamp of its host */
	if (!as_hub_host(&look->hub, &host) && WORD(host.last_alive_ns) / 1000 > last_us)
		last_us = WORD(host.last_alive_ns) / 1000;
	return last_us + UINT64_C(24) * 86400 * 1000000;
}

static void tell_damage(struct filling *f)
{
	const char *first = f->look->damages ? f->look->damage : f->damage;
	const unsigned n = f->look->damages + f->damages;

	if (n == 1)
		f->hub->damage = copy_text(f, first, sizeof(f->damage));
	else if (n > 1)
		f->hub->damage = arena_printf(&f->st->arena, "%s; and %u more contradictions", first, n - 1);
}

int hub_look_fill(struct hub_look *look, struct state *st, enum state_source source,
		  int64_t shift_us)
{
	struct state_hub *hub = state_add_hub(st);
	struct filling f = {
		.look = look,
		.st = st,
		.hub = hub,
		.shift_us = shift_us,
		.created_us = look->hub.header.created_ns / 1000,
		.is_live = hub_look_is_live(look),
	};

	if (!hub)
		return -ENOMEM;
	hub->path = arena_strdup(&st->arena, look->path);
	hub->source = source;
	f.clock_us = clock_of(look, f.created_us);
	f.newest_us = f.created_us < f.clock_us ? f.created_us : f.clock_us;
	check_first_page(&f);
	fill_host(&f);
	fill_peers(&f);
	if (f.is_live)
		f.newest_us = mono_us();
	fill_classes(&f);
	fill_calls(&f);
	fill_methods(&f);
	hub->has_recent = look->wants_messages;
	hub->has_every = look->wants_slots;
	tell_damage(&f);
	hub->seen_us = shifted(&f, f.newest_us);
	return f.no_memory || !hub->path ? -ENOMEM : 0;
}

uint64_t hub_look_bell(const struct hub_look *look, unsigned peer, unsigned dir)
{
	struct hub_peer entry;

	if (as_hub_peer(&look->hub, peer, &entry))
		return 0;
	return dir == HUB_RECV ? entry.peer_bell_inode : entry.host_bell_inode;
}
