#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_io.h"
#include "lib/as/as_signal.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/pl_priv.h"

/*
 * What `sigdump run` (or whoever started the program) asked for, by environment variables:
 *	SHMSCOPE_FEED         directory of the feeds
 *	SHMSCOPE_SIGNAL       the dump signal ("USR1", "RTMIN+3", "off")
 *	SHMSCOPE_WATCHDOG     no progress for so long is an incident ("5s", "500ms", "off")
 *	SHMSCOPE_HELD         "1": `sigdump run` has blocked the dump signal until there is a handler
 *	SHMSCOPE_NO_CHILDREN  what this process starts shall not have the library
 * What cannot be understood counts as not given: `sigdump run` checks its options, and
 * `sigdump status` shows what is in force.
 */

enum { WATCHDOG_MS = 5000, WATCHDOG_MIN_MS = 100, WATCHDOG_MAX_MS = 3600000 };

/* Value of a variable; NULL when it is not there. environ may not be set up this early. */
static char *value_of(char **env, const char *name)
{
	const size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static void set_dir(const char *base, const char *below)
{
	struct as_fmt f;

	as_fmt_init(&f, dump_state.dir, sizeof(dump_state.dir));
	as_fmt_str(&f, base);
	as_fmt_str(&f, below);
	if (f.cut)
		dump_state.dir[0] = '\0';
}

/* A relative one stays where it was meant when the program changes its directory. */
static void set_given_dir(const char *dir)
{
	char cwd[DUMP_PATH];

	dump_state.dir_given = true;
	if (dir[0] == '/') {
		set_dir(dir, "");
		return;
	}
	const ssize_t n = as_sys_readlinkat(-100 /* AT_FDCWD */, "/proc/self/cwd", cwd,
					    sizeof(cwd) - 2);
	if (n <= 0)
		return;
	cwd[n] = '/';
	cwd[n + 1] = '\0';
	set_dir(cwd, dir);
}

static void read_dir(char **env)
{
	const char *given = value_of(env, "SHMSCOPE_FEED");
	const char *state = value_of(env, "XDG_STATE_HOME");
	const char *home = value_of(env, "HOME");

	if (given && *given)
		set_given_dir(given);
	else if (state && state[0] == '/')
		set_dir(state, "/shmscope/feeds");
	else if (as_sys_geteuid() == 0)
		set_dir("/var/lib/shmscope/feeds", "");
	else if (home && home[0] == '/')
		set_dir(home, "/.local/state/shmscope/feeds");
}

static void read_signal(char **env)
{
	const char *given = value_of(env, "SHMSCOPE_SIGNAL");
	const int sig = given && strcmp(given, "off") != 0 ? as_signal_number(given) : 0;

	dump_state.signal = SIGUSR1;
	if (given && strcmp(given, "off") == 0)
		dump_state.signal = 0;
	else if (sig > 0 && sig != SIGKILL && sig != SIGSTOP)
		dump_state.signal = sig;
	/* far from both ends, where programs take theirs */
	dump_state.poke = dump_state.signal == 57 ? 56 : 57;
}

/* "5", "5s", "500ms", "2m", "1h" in milliseconds; 0 for anything else. */
static uint32_t parse_span(const char *text)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	uint32_t n = 0;

	for (; *text >= '0' && *text <= '9' && n < 100000000; text++)
		n = n * 10 + (uint32_t)(*text - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text, units[i].unit) == 0 && n <= WATCHDOG_MAX_MS / units[i].ms)
			return n * units[i].ms;
	return 0;
}

static void read_watchdog(char **env)
{
	const char *given = value_of(env, "SHMSCOPE_WATCHDOG");
	const uint32_t ms = given ? parse_span(given) : 0;

	dump_state.watchdog_ms = WATCHDOG_MS;
	if (given && strcmp(given, "off") == 0)
		dump_state.watchdog_ms = 0;
	else if (ms >= WATCHDOG_MIN_MS)
		dump_state.watchdog_ms = ms;
}

/* Takes our own entry out of LD_PRELOAD, in place: what is exec'd from here on has not got it. */
static void forget_preload(char **env)
{
	static const char ours[] = "libsigdump.so";
	char *list = value_of(env, "LD_PRELOAD");

	while (list && *list) {
		const size_t n = strcspn(list, ": ");
		const size_t skip = n + (list[n] != '\0');

		if (n >= sizeof(ours) - 1 &&
		    memcmp(list + n - (sizeof(ours) - 1), ours, sizeof(ours) - 1) == 0)
			memmove(list, list + skip, strlen(list + skip) + 1);
		else
			list += skip;
	}
}

bool pl_options_held(char **env)
{
	char *held = value_of(env, "SHMSCOPE_HELD");

	if (!held || *held != '1')
		return false;
	*held = '0'; /* what this process starts was not held */
	return dump_state.signal != 0;
}

/* The first 8 bytes of the boot id. */
static uint64_t read_boot(void)
{
	char text[64];
	uint64_t v = 0;
	unsigned digits = 0;

	as_io_read_file(-100 /* AT_FDCWD */, "/proc/sys/kernel/random/boot_id", text, sizeof(text));
	for (const char *c = text; *c && digits < 16; c++) {
		const char low = (char)(*c | 0x20);

		if (*c >= '0' && *c <= '9')
			v = v << 4 | (uint64_t)(*c - '0'), digits++;
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint64_t)(low - 'a' + 10), digits++;
	}
	return v;
}

void pl_options_read(char **env)
{
	const char *alone = value_of(env, "SHMSCOPE_NO_CHILDREN");

	dump_state.deadline_ms = DUMP_DEADLINE_MS;
	dump_state.boot = read_boot();
	read_dir(env);
	read_signal(env);
	read_watchdog(env);
	if (alone && *alone && strcmp(alone, "0") != 0)
		forget_preload(env);
}
