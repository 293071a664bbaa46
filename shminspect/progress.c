#include "shminspect/progress.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/units.h"

enum { FIRST_MS = 500, AGAIN_MS = 100, LOG_MS = 10000, BAR = 10 };

/* Of this process; the handler touches only `stopped`. */
static volatile sig_atomic_t stopped;
static struct {
	bool quiet, on_terminal, shown;
	const char *what;
	size_t done, total;
	uint64_t next_ms;
} progress;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The second one finds the default action: it ends the program. */
static void on_interrupt(int sig)
{
	(void)sig;
	stopped = 1;
}

void progress_init(bool quiet)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

	progress.quiet = quiet;
	progress.on_terminal = isatty(STDERR_FILENO);
	progress.next_ms = now_ms() + (progress.on_terminal ? FIRST_MS : LOG_MS);
	sigaction(SIGINT, &action, NULL);
}

void progress_stage(const char *what, size_t total)
{
	progress.what = what;
	progress.total = total;
	progress.done = 0;
}

static void show(void)
{
	char done[UNITS_TEXT], total[UNITS_TEXT], bar[BAR + 1];

	units_count(done, progress.done);
	if (progress.on_terminal)
		fputs("\r\033[K", stderr);
	if (progress.total) {
		const size_t full = progress.done * BAR / progress.total;

		memset(bar, '-', BAR);
		memset(bar, '#', full < BAR ? full : BAR);
		bar[BAR] = '\0';
		fprintf(stderr, "%s  [%s] %zu%%  %s of %s", progress.what, bar,
			progress.done * 100 / progress.total, done,
			units_count(total, progress.total));
	} else {
		fprintf(stderr, "%s  %s", progress.what, done);
	}
	if (!progress.on_terminal)
		fputc('\n', stderr);
	fflush(stderr);
	progress.shown = true;
}

bool progress_tick(void)
{
	progress.done++;
	if (!progress.quiet && now_ms() >= progress.next_ms) {
		show();
		progress.next_ms = now_ms() + (progress.on_terminal ? AGAIN_MS : LOG_MS);
	}
	return stopped;
}

bool progress_was_stopped(void)
{
	return stopped;
}

void progress_done(void)
{
	if (progress.shown && progress.on_terminal)
		fputs("\r\033[K", stderr);
	progress.shown = false;
}
