#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_host.h"

enum { TRIES = 200, SETTLES_MS = 50 };

/* Where a fault writes: an offset in the file, and a 64- or 32-bit value. */
struct scribble {
	uint64_t offset, value;
	size_t bytes;
};

static uint64_t entry(const struct sut_look *look, uint32_t kind, uint64_t i)
{
	const struct hub_section *s = sut_look_section(look, kind, 0);

	return s ? s->offset + i * s->stride : 0;
}

static uint64_t read64(const struct sut_look *look, uint64_t offset)
{
	uint64_t v = 0;

	return pread(look->fd, &v, sizeof(v), (off_t)offset) == sizeof(v) ? v : 0;
}

static struct scribble scribble(const struct sut_look *look, unsigned peer, const char *what)
{
	const uint64_t ring = entry(look, HUB_SECTION_RINGS, 2 * peer + HUB_RECV);
	const uint64_t head = ring + offsetof(struct hub_ring, head);
	const uint64_t table = offsetof(struct hub_header, section);
	const struct hub_section *rings = sut_look_section(look, HUB_SECTION_RINGS, 0);

	if (strcmp(what, "head") == 0)
		return (struct scribble){ head, read64(look, head) + (UINT64_C(1) << 40), 8 };
	if (strcmp(what, "tail") == 0)
		return (struct scribble){ ring + offsetof(struct hub_ring, tail),
					  read64(look, head) + (UINT64_C(1) << 40), 8 };
	if (strcmp(what, "slot") == 0) /* one of the first class; there is no state 7 */
		return (struct scribble){ entry(look, HUB_SECTION_SLOTS, 900), 7, 8 };
	if (strcmp(what, "class") == 0)
		return (struct scribble){ entry(look, HUB_SECTION_CLASSES, 0) +
						  offsetof(struct hub_class, bytes), 1000, 4 };
	if (strcmp(what, "offset") == 0)
		return (struct scribble){
			table + (uint64_t)(rings - look->header.section) * sizeof(*rings) +
				offsetof(struct hub_section, offset),
			look->header.file_bytes + HUB_PAGE, 8
		};
	if (strcmp(what, "section") == 0)
		return (struct scribble){ offsetof(struct hub_header, section_count), 9999, 4 };
	return (struct scribble){ 0, UINT64_C(0x4c454d414741574e), 8 }; /* magic */
}

int inject_corrupt(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const struct scribble s = scribble(&host->look, spec->peer, sut_fault_arg(spec, "what"));
	CLOSES int fd = open(host->config->hub, O_RDWR | O_CLOEXEC);

	/* whom the word belongs to may just be writing it: then it is whole again */
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t is = 0;

		if (fd < 0 || pwrite(fd, &s.value, s.bytes, (off_t)s.offset) != (ssize_t)s.bytes)
			return err_set(err, -errno, "%s: cannot write (%m)", host->config->hub);
		if (sut_pause(host, SETTLES_MS))
			return err_set(err, -ECANCELED, "told to stop");
		if (pread(fd, &is, s.bytes, (off_t)s.offset) == (ssize_t)s.bytes && is == s.value)
			return 0;
	}
	return err_set(err, -ETIMEDOUT, "%s: what was scribbled does not stay", host->config->hub);
}
