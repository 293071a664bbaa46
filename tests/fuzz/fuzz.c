#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/t.h"

static const char *seed_dir;

void fuzz_seed(const char *name, const void *data, size_t n)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", seed_dir, name);
	FILE *f = fopen(path, "we");

	if (!f || fwrite(data, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(1);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
		seed_dir = (*argv)[2];
		fuzz_seeds();
		exit(0);
	}
	fuzz_start();
	return 0;
}

void fuzz_found(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "FOUND: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

/* What hub_build.c checks with; the rest of the test harness has a main() of its own. */
void t_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	exit(1);
}

void t_eq(const char *file, int line, const char *what, int64_t got, int64_t want)
{
	if (got != want)
		t_fail(file, line, "%s: %lld\n", what, (long long)got);
}

uint64_t fuzz_take(struct fuzz_bytes *b, size_t n)
{
	const size_t have = b->left < n ? b->left : n;
	uint64_t v = 0;

	if (have)
		memcpy(&v, b->at, have);
	b->at += have;
	b->left -= have;
	return v;
}

const char *fuzz_file(const void *data, size_t n)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	}
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, n, 0) != (ssize_t)n) {
		perror("memfd");
		exit(1);
	}
	return path;
}
