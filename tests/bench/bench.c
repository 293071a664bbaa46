#include "tests/bench/bench.h"

#include <jansson.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* The median of many short blocks: whoever is preempted in one of them has not moved. */
double bench_line_ns(void)
{
	enum { BLOCKS = 40, TURNS = 500 };
	double block[BLOCKS];
	_Atomic uint32_t *line = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (line == MAP_FAILED)
		return 1e9;
	const pid_t pid = fork();
	if (pid == 0) {
		bench_pin(1);
		for (uint32_t i = 0; i < BLOCKS * TURNS; i++) {
			while (atomic_load(line) != 2 * i + 1)
				;
			atomic_store(line, 2 * i + 2);
		}
		_exit(0);
	}
	cpu_set_t before;
	sched_getaffinity(0, sizeof(before), &before);
	bench_pin(0);
	uint64_t start = bench_now_ns();
	for (uint32_t i = 0; i < BLOCKS * TURNS; i++) {
		atomic_store(line, 2 * i + 1);
		while (atomic_load(line) != 2 * i + 2)
			;
		if (i % TURNS == TURNS - 1) {
			const uint64_t now = bench_now_ns();

			block[i / TURNS] = (double)(now - start) / TURNS;
			start = now;
		}
	}
	sched_setaffinity(0, sizeof(before), &before);
	waitpid(pid, NULL, 0);
	munmap((void *)line, 4096);
	return bench_percentile(block, BLOCKS, 0.5);
}

enum bench_placement bench_placement(double line_ns)
{
	return line_ns < 200 ? BENCH_NEAR : BENCH_FAR;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_percentile(double *v, size_t n, double p)
{
	if (!n)
		return 0;
	qsort(v, n, sizeof(*v), compare);
	return v[(size_t)(p * (double)(n - 1) + 0.5)];
}

double bench_median(const double *v, size_t n)
{
	double copy[BENCH_ROUNDS_MAX];

	if (n > BENCH_ROUNDS_MAX)
		n = BENCH_ROUNDS_MAX;
	memcpy(copy, v, n * sizeof(*v));
	return bench_percentile(copy, n, 0.5);
}

static bool passes(const struct bench_row *row)
{
	if (row->limit && !row->higher_is_better) /* nothing at all is best; below 0: not measured */
		return row->ours >= 0 && row->ours <= row->limit;
	if (row->limit && row->ours < row->limit)
		return false;
	return row->ours > 0 && (!row->target || row->ratio >= row->target);
}

static const char *outcome(const struct bench_row *row)
{
	if (row->limit)
		return passes(row) ? "reached" : "MISSED";
	if (!row->target)
		return "";
	if (!row->gated)
		return "not gated";
	return passes(row) ? "reached" : "MISSED";
}

void bench_print(const char *bench, const struct bench_row *row, size_t rows)
{
	printf("%-8s %-16s %-7s %10s %10s  %-14s %8s %8s\n", bench, "row", "unit", "ours", "theirs",
	       "peer", "ratio", "target");
	for (size_t i = 0; i < rows; i++)
		printf("%-8s %-16s %-7s %10.3g %10.3g  %-14s %8.3g %8.3g %s%s%s\n", "", row[i].name,
		       row[i].unit, row[i].ours, row[i].theirs, row[i].peer ? row[i].peer : "-",
		       row[i].ratio, row[i].limit ? row[i].limit : row[i].target, outcome(&row[i]), row[i].note ? "  " : "",
		       row[i].note ? row[i].note : "");
}

int bench_write(const char *bench, const char *path, enum bench_placement placement,
		const struct bench_row *row, size_t rows)
{
	struct utsname machine;
	json_t *list = json_array();

	uname(&machine);
	for (size_t i = 0; i < rows; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:f,s:s?,s:f,s:f,s:f,s:b,s:f,s:b,s:i,s:s?}",
			"name", row[i].name, "unit", row[i].unit, "ours", row[i].ours, "peer",
			row[i].peer, "theirs", row[i].theirs, "ratio", row[i].ratio, "target",
			row[i].target, "pass", passes(&row[i]), "limit", row[i].limit,
			"gated", row[i].gated, "rounds", (int)row[i].rounds, "note", row[i].note));
	json_t *all = json_pack("{s:s,s:s,s:s,s:i,s:o}", "bench", bench, "machine", machine.release,
				"placement", placement == BENCH_NEAR ? "near" : "far", "cpus",
				(int)sysconf(_SC_NPROCESSORS_ONLN), "rows", list);
	const int r = json_dump_file(all, path, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(all);
	return r;
}
