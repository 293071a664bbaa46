#include "tests/t.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct t_test *tests, **tests_end = &tests;

void t_register(struct t_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void t_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "    %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

void t_skip(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "    skipped: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(77);
}

void t_eq(const char *file, int line, const char *what, int64_t got, int64_t want)
{
	if (got != want)
		t_fail(file, line, "%s: got %lld (0x%llx), wanted %lld (0x%llx)", what,
		       (long long)got, (long long)got, (long long)want, (long long)want);
}

void t_str(const char *file, int line, const char *what, const char *got, const char *want)
{
	if (!got || strcmp(got, want) != 0)
		t_fail(file, line, "%s:\n      got    \"%s\"\n      wanted \"%s\"", what,
		       got ? got : "(null)", want);
}

void t_has(const char *file, int line, const char *what, const char *got, const char *part)
{
	if (!got || !strstr(got, part))
		t_fail(file, line, "%s:\n      got    \"%s\"\n      wanted in it \"%s\"", what,
		       got ? got : "(null)", part);
}

uint64_t t_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

uint64_t t_seed(void)
{
	const char *text = getenv("T_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const uint64_t seed = text ? strtoull(text, NULL, 0)
				   : (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)now.tv_sec;
	printf("    T_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

unsigned t_length(void)
{
	const char *text = getenv("T_LENGTH");

	return text ? (unsigned)atoi(text) : 1;
}

static int run_one(const struct t_test *test)
{
	fflush(NULL);
	const pid_t pid = fork();

	if (pid == 0) {
		test->run();
		fflush(NULL);
		_exit(0);
	}
	int status;

	while (waitpid(pid, &status, 0) < 0)
		;
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "    killed by signal %d (%s)\n", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
		return 1;
	}
	return WEXITSTATUS(status);
}

static bool is_wanted(const struct t_test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], test->name) == 0)
			return true;
	return argc == 1;
}

int t_run(int argc, char **argv)
{
	int failed = 0, skipped = 0, ran = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct t_test *test = tests; test; test = test->next) {
		if (!is_wanted(test, argc, argv))
			continue;
		const int status = run_one(test);
		const char *word = status == 0 ? "ok" : status == 77 ? "SKIP" : "FAIL";

		printf("  %-4s %s\n", word, test->name);
		failed += status != 0 && status != 77;
		skipped += status == 77;
		ran++;
	}
	if (!ran) {
		fprintf(stderr, "no such test\n");
		return 1;
	}
	return failed ? 1 : skipped ? 77 : 0;
}

/* Weak: a test that is its own child program (a hub peer, say) brings a main() that looks at
 * argv first and then calls t_run(). */
__attribute__((weak)) int main(int argc, char **argv)
{
	return t_run(argc, argv);
}
