/*
 * hub_layout - from a configuration to the header of a new hub: which table lies where.
 *
 * Pure: no file, no clock.
 */
#ifndef SHMSCOPE_HUB_LAYOUT_H
#define SHMSCOPE_HUB_LAYOUT_H

#include "lib/base/err.h"
#include "lib/hub/hub_format.h"
#include "lib/hub/shmhub.h"

/* A class as it will be made. */
struct hub_layout_class {
	uint32_t bytes, first, max, unit;
};

struct hub_layout {
	struct hub_header header; /* identity fields and checksum still empty */
	struct hub_layout_class klass[HUB_CLASSES_MAX];
};

/*
 * hub_layout_make - place everything.
 *
 * config      borrowed; 0 in a field is its default.
 * file_limit  the most bytes the file may have (RLIMIT_FSIZE). Classes are given less room to
 *             grow, then fewer slots, then left out from the largest, until it fits.
 *
 * Returns 0; -EINVAL with err naming the field; -EFBIG when not even the smallest class fits.
 * Safety: MT-safe.
 */
int hub_layout_make(const struct shmhub_config *config, uint64_t file_limit,
		    struct hub_layout *layout, struct err *err);

/* hub_layout_unit - bytes behind one backed bit of a class. Safety: MT-safe. */
uint32_t hub_layout_unit(uint32_t slot_bytes);

/*
 * hub_layout_answers - how many of a class's slots, its first, are for answers only.
 * max  slots it may grow to. Safety: MT-safe.
 */
uint32_t hub_layout_answers(uint32_t max);

#endif
