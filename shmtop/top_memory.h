/*
 * top_memory - the course of each process's memory over the samples that are kept. Pure.
 */
#ifndef SHMSCOPE_SHMTOP_TOP_MEMORY_H
#define SHMSCOPE_SHMTOP_TOP_MEMORY_H

#include "shmtop/top_model.h"

enum { TOP_SERIES = 4, TOP_SERIES_POINTS = 40 };

struct top_series {
	const struct top_row *row;
	double value[TOP_SERIES_POINTS]; /* resident bytes, oldest first; negative: not known */
	size_t n;
	int64_t low, high; /* over all that is kept, not only over the points */
};

struct top_memory {
	struct top_series series[TOP_SERIES]; /* the hosts, then the largest */
	size_t n;
};

/*
 * top_memory_make - the series of the processes that matter most, up to now_us.
 * history   may be NULL: then a series is its present value.
 * Safety: MT-safe on rows and frames that nobody changes.
 */
void top_memory_make(struct top_memory *out, const struct top *top, const struct history *history,
		     uint64_t now_us);

#endif
