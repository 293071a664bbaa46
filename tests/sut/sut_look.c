#include "tests/sut/sut_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int sut_look_open(struct sut_look *look, const char *path, struct err *err)
{
	look->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (look->fd < 0)
		return err_set(err, -errno, "%s: cannot open (%m)", path);
	if (pread(look->fd, &look->header, sizeof(look->header), 0) != sizeof(look->header) ||
	    memcmp(look->header.magic, HUB_MAGIC, sizeof(look->header.magic)) != 0) {
		sut_look_close(look);
		return err_set(err, -EBADMSG, "%s: not a hub", path);
	}
	return 0;
}

void sut_look_close(struct sut_look *look)
{
	close(look->fd);
	look->fd = -1;
}

const struct hub_section *sut_look_section(const struct sut_look *look, uint32_t kind,
					   uint32_t index)
{
	for (unsigned i = 0; i < look->header.section_count && i < HUB_SECTIONS; i++) {
		const struct hub_section *s = &look->header.section[i];

		if (s->kind == kind && s->index == index)
			return s;
	}
	return NULL;
}

static bool read_entry(const struct sut_look *look, uint32_t kind, unsigned i, void *to, size_t len)
{
	const struct hub_section *s = sut_look_section(look, kind, 0);

	return s && i < s->count &&
	       pread(look->fd, to, len, (off_t)(s->offset + i * s->stride)) == (ssize_t)len;
}

static uint32_t count_slots(const struct sut_look *look, unsigned peer)
{
	const struct hub_section *s = sut_look_section(look, HUB_SECTION_SLOTS, SUT_LOOK_CLASS);
	struct hub_class klass;
	struct hub_slot slot;
	uint32_t n = 0;

	if (!s || !read_entry(look, HUB_SECTION_CLASSES, SUT_LOOK_CLASS, &klass, sizeof(klass)))
		return 0;
	for (uint32_t i = 0; i < klass.slots && i < s->count; i++) {
		if (pread(look->fd, &slot, sizeof(slot), (off_t)(s->offset + i * s->stride)) !=
		    (ssize_t)sizeof(slot))
			return 0;
		n += HUB_SLOT_PEER(slot.word) == peer &&
		     (HUB_SLOT_STATE(slot.word) == HUB_SLOT_IN_FLIGHT ||
		      HUB_SLOT_STATE(slot.word) == HUB_SLOT_HELD);
	}
	return n;
}

int sut_look_peer(const struct sut_look *look, unsigned peer, struct sut_look_peer *seen)
{
	struct hub_peer p;
	struct hub_ring recv, send;

	/* tail before head would matter to a reader of moving rings; ours waits for still ones */
	if (!read_entry(look, HUB_SECTION_PEERS, peer, &p, sizeof(p)) ||
	    !read_entry(look, HUB_SECTION_RINGS, 2 * peer + HUB_RECV, &recv, sizeof(recv)) ||
	    !read_entry(look, HUB_SECTION_RINGS, 2 * peer + HUB_SEND, &send, sizeof(send)))
		return -EBADMSG;
	*seen = (struct sut_look_peer){
		.state = p.state,
		.asleep = p.peer_asleep,
		.host_asleep = p.host_asleep,
		.recv_waiting = recv.messages - recv.taken,
		.send_waiting = send.messages - send.taken,
		.recv_cells = recv.head - recv.tail,
		.send_cells = send.head - send.tail,
		.recv_bells = recv.bells,
		.recv_sending = recv.sending,
		.send_sending = send.sending,
		.ring_cells = look->header.ring_cells,
		.calls_pending = p.calls_pending,
		.slots = count_slots(look, peer),
	};
	return 0;
}
