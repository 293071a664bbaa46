#include "lib/hub/hub_check.h"

#include <errno.h>
#include <string.h>

#include "lib/as/as_crc.h"
#include "lib/base/units.h"

uint32_t hub_check_crc(const struct hub_header *header)
{
	struct hub_header copy = *header;

	copy.crc = 0;
	return ~as_crc_add(AS_CRC_START, &copy, sizeof(copy));
}

const char *hub_check_kind_name(unsigned kind)
{
	static const char *const name[] = HUB_SECTION_NAMES;

	return kind < sizeof(name) / sizeof(name[0]) ? name[kind] : "unknown";
}

/* What a foreign file is, by its first bytes; NULL when nobody knows. */
static const char *foreign_kind(const uint8_t *p, size_t n)
{
	static const struct {
		const char *magic, *what;
	} known[] = {
		{ "\x7f"
		  "ELF",
		  "an ELF object" },
		{ "\x1f\x8b", "gzip data" },
		{ "\x28\xb5\x2f\xfd", "zstd data" },
		{ "{\"", "JSON: a feed?" },
		{ "#!", "a script" },
		{ "SHMCTL", "a control page" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (n >= strlen(known[i].magic) && !memcmp(p, known[i].magic, strlen(known[i].magic)))
			return known[i].what;
	return NULL;
}

static int not_a_hub(const char *path, const uint8_t *p, size_t n, struct err *err)
{
	char hex[3 * 4 + 1] = "";
	const char *what = foreign_kind(p, n);

	if (n == 0)
		err_set(err, -EBADMSG, "%s: not a hub file (it is empty)", path);
	else {
		for (size_t i = 0; i < n && i < 4; i++)
			snprintf(hex + (i ? 3 * i - 1 : 0), 4, i ? " %02x" : "%02x", p[i]);
		err_set(err, -EBADMSG, "%s: not a hub file (starts with %s%s%s)", path, hex,
			what ? ", " : "", what ? what : "");
	}
	err_next(err, "give a hub file, a feed, or a directory of feeds; `shmtop` without arguments lists"
		      " the hubs it finds");
	return -EBADMSG;
}

/* With the magic gone: do byte order, page size and checksum say that it was a hub? */
static bool was_a_hub(const struct hub_header *h)
{
	struct hub_header healed = *h;

	memcpy(healed.magic, HUB_MAGIC, sizeof(healed.magic));
	return h->byte_order == HUB_BYTE_ORDER && h->page_bytes == HUB_PAGE &&
	       hub_check_crc(&healed) == h->crc;
}

static int wrong_version(const char *path, const struct hub_header *h, struct err *err)
{
	char reads[32];
	const int n = snprintf(reads, sizeof(reads), "%d", HUB_FORMAT_OLDEST);

	if (HUB_FORMAT_VERSION > HUB_FORMAT_OLDEST)
		snprintf(reads + n, sizeof(reads) - (size_t)n, " to %d", HUB_FORMAT_VERSION);
	err_set(err, -EPROTO, "%s: hub layout version %u, this build reads %s", path, h->version,
		reads);
	err_next(err, "use the shminspect of the release that wrote it (writer: %.32s), or rebuild"
		      " this one",
		 h->writer[0] ? h->writer : "unknown");
	return -EPROTO;
}

static bool is_inside(const struct hub_section *s, uint64_t file_bytes)
{
	uint64_t bytes, end;

	return s->kind != HUB_SECTION_NONE && s->stride && s->count && s->offset >= HUB_PAGE &&
	       !__builtin_mul_overflow(s->stride, s->count, &bytes) &&
	       !__builtin_add_overflow(s->offset, bytes, &end) && end <= file_bytes;
}

static void drop_wild_sections(const char *path, struct hub_header *h, uint64_t file_bytes,
			       struct err *damage)
{
	if (h->section_count > HUB_SECTIONS) {
		if (!damage->code)
			err_set(damage, -EBADMSG, "%s: header: %u sections (%d at most)", path,
				h->section_count, HUB_SECTIONS);
		h->section_count = HUB_SECTIONS;
	}
	for (unsigned i = 0; i < h->section_count; i++) {
		struct hub_section *s = &h->section[i];

		if (is_inside(s, file_bytes) || s->kind == HUB_SECTION_NONE)
			continue;
		if (!damage->code) {
			damage->code = -EBADMSG;
			snprintf(damage->text, sizeof(damage->text),
				 "%s: section table: %s %u lies outside the file (offset %llu,"
				 " %llu x %llu bytes; the file has %llu)",
				 path, hub_check_kind_name(s->kind), s->index,
				 (unsigned long long)s->offset, (unsigned long long)s->count,
				 (unsigned long long)s->stride, (unsigned long long)file_bytes);
		}
		s->kind = HUB_SECTION_NONE;
	}
}

static void note_damage(const char *path, struct hub_header *h, uint64_t file_bytes,
			struct err *damage)
{
	char is[UNITS_TEXT], wants[UNITS_TEXT];

	damage->code = 0;
	damage->text[0] = damage->next[0] = '\0';
	if (memcmp(h->magic, HUB_MAGIC, sizeof(h->magic)) != 0)
		err_set(damage, -EBADMSG, "%s: header: the magic is overwritten", path);
	else if (h->file_bytes > file_bytes)
		err_set(damage, -EBADMSG, "%s: truncated (%s of %s)", path,
			units_bytes(is, file_bytes), units_bytes(wants, h->file_bytes));
	drop_wild_sections(path, h, file_bytes, damage);
}

int hub_check_header(const char *path, const void *page, size_t got, uint64_t file_bytes,
		     struct hub_header *header, struct err *damage, struct err *err)
{
	struct hub_header h = { 0 };
	struct err any;

	memcpy(&h, page, got < sizeof(h) ? got : sizeof(h));
	if (memcmp(h.magic, HUB_MAGIC, sizeof(h.magic)) != 0 && !was_a_hub(&h))
		return not_a_hub(path, page, got, err);
	if (got < offsetof(struct hub_header, section)) {
		err_set(err, -EBADMSG, "%s: truncated inside its header (%zu bytes; a hub has at least %d)",
			path, got, HUB_PAGE);
		err_next(err, "copy it again, all of it; the feeds of its processes can be read without it");
		return -EBADMSG;
	}
	if (h.byte_order != HUB_BYTE_ORDER || h.page_bytes != HUB_PAGE)
		return err_set(err, -EBADMSG, "%s: written by a machine of another kind (byte order"
			       " %08x, page size %u; here %08x, %d)",
			       path, h.byte_order, h.page_bytes, HUB_BYTE_ORDER, HUB_PAGE);
	if (h.version < HUB_FORMAT_OLDEST || h.version > HUB_FORMAT_VERSION)
		return wrong_version(path, &h, err);
	const bool crc_is_right = hub_check_crc(&h) == h.crc;

	note_damage(path, &h, file_bytes, &any);
	if (!any.code && !crc_is_right)
		err_set(&any, -EBADMSG, "%s: header: checksum %08x, its fields say %08x: some of them"
			" were overwritten",
			path, h.crc, hub_check_crc(&h));
	if (any.code && !damage) {
		if (err)
			*err = any;
		return any.code;
	}
	if (damage)
		*damage = any;
	*header = h;
	return 0;
}

const struct hub_section *hub_check_section(const struct hub_header *header,
					    enum hub_section_kind kind, unsigned index)
{
	for (unsigned i = 0; i < header->section_count && i < HUB_SECTIONS; i++)
		if (header->section[i].kind == (uint32_t)kind && header->section[i].index == index)
			return &header->section[i];
	return NULL;
}
