/*
 * hub_check - is this page the header of a hub that can be read?
 *
 * Shared by those who map a hub (host, peers) and those who only read one (tools). Works on
 * a private copy of the page and touches no file.
 */
#ifndef SHMSCOPE_HUB_CHECK_H
#define SHMSCOPE_HUB_CHECK_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/hub/hub_format.h"

/* hub_check_crc - what header->crc has to be. Safety: MT-safe. */
uint32_t hub_check_crc(const struct hub_header *header);

/*
 * hub_check_header - judge the first page of a file.
 *
 * path        for the sentences.
 * page, got   what could be read of the first HUB_PAGE bytes.
 * file_bytes  the file's size now.
 * header      filled on 0 (missing fields of an older writer read as zero).
 * damage      what is wrong with a header that can still be used with care: magic or checksum
 *             do not match, the file is shorter than it says. Empty text: nothing. NULL: any
 *             damage is an error.
 *
 * Sections that do not lie inside the file are removed from header (kind NONE), the first one
 * named in damage.
 *
 * Returns 0; -EBADMSG (not a hub, empty, truncated inside its header, damaged); -EPROTO (a
 * version this build does not read); each with err set.
 * Safety: MT-safe.
 */
int hub_check_header(const char *path, const void *page, size_t got, uint64_t file_bytes,
		     struct hub_header *header, struct err *damage, struct err *err);

/* hub_check_section - the section of that kind and index, or NULL. Safety: MT-safe. */
const struct hub_section *hub_check_section(const struct hub_header *header,
					    enum hub_section_kind kind, unsigned index);

/* hub_check_kind_name - "RINGS". Safety: MT-safe. */
const char *hub_check_kind_name(unsigned kind);

#endif
