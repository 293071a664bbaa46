/*
 * bench - what the benches share: pinning, the placement probe, medians, the table, the JSON.
 *
 * Machines are shared and noisy and their virtual CPUs move: so ours and the peers run in turn,
 * round by round, and a row is the median of its rounds and the ratio of the two medians. The
 * probe measures how long a cache line takes to and fro before and after each measurement;
 * "near" means both CPUs share a cache. Figures of another placement are kept apart.
 */
#ifndef SHMSCOPE_BENCH_H
#define SHMSCOPE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_ROUNDS_MAX = 32 };
enum bench_placement { BENCH_FAR, BENCH_NEAR };

struct bench_row {
	const char *name, *unit;
	const char *peer;      /* the best of them, or the one compared with */
	double ours, theirs;   /* medians; 0: not measured */
	double ratio;          /* how many times better ours is */
	double limit;          /* ours must not be above it (higher_is_better: below it); 0: none */
	bool higher_is_better;
	double target;         /* the ratio to reach; 0: none, told for information */
	bool gated;            /* false: placement never was near, or the peer is not there */
	unsigned rounds;
	const char *note;      /* NULL */
};

uint64_t bench_now_ns(void);
/* bench_pin - this thread runs on `cpu` from now on; false when the machine has no such CPU. */
bool bench_pin(int cpu);
/* bench_line_ns - round trip of a cache line between CPUs 0 and 1. */
double bench_line_ns(void);
enum bench_placement bench_placement(double line_ns);
double bench_median(const double *v, size_t n);
double bench_percentile(double *v, size_t n, double p);

/* bench_print - the rows as a table on stdout; bench_write - as JSON to `path`. */
void bench_print(const char *bench, const struct bench_row *row, size_t rows);
int bench_write(const char *bench, const char *path, enum bench_placement placement,
		const struct bench_row *row, size_t rows);

#endif
