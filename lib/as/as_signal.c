#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_signal.h"

/* What the C library calls SIGRTMIN and SIGRTMAX: it keeps 32 and 33 for itself. */
enum { RT_FIRST = 34, RT_LAST = 64 };

static const struct {
	char name[8];
	int number;
} names[] = {
	{ "HUP", SIGHUP },	 { "INT", SIGINT },   { "QUIT", SIGQUIT },   { "ILL", SIGILL },
	{ "TRAP", SIGTRAP },	 { "ABRT", SIGABRT }, { "BUS", SIGBUS },     { "FPE", SIGFPE },
	{ "KILL", SIGKILL },	 { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },   { "USR2", SIGUSR2 },
	{ "PIPE", SIGPIPE },	 { "ALRM", SIGALRM }, { "TERM", SIGTERM },   { "STKFLT", 16 },
	{ "CHLD", SIGCHLD },	 { "CONT", SIGCONT }, { "STOP", SIGSTOP },   { "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN },	 { "TTOU", SIGTTOU }, { "URG", SIGURG },     { "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },	 { "VTALRM", 26 },    { "PROF", SIGPROF },   { "WINCH", SIGWINCH },
	{ "IO", SIGIO },	 { "PWR", SIGPWR },   { "SYS", SIGSYS },
};

enum { NAMES = sizeof(names) / sizeof(*names) };

/* Letters compared without regard to their case; the end of `text` has to come as well. */
static int is_word(const char *text, const char *word)
{
	for (; *word; text++, word++)
		if (*text != *word && !(*text >= 'a' && *text <= 'z' && *text - 'a' + 'A' == *word))
			return 0;
	return !*text;
}

/* A decimal number up to 99 that ends the text, or -1. */
static int number(const char *text)
{
	int n = 0;

	if (!*text || strlen(text) > 2)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = 10 * n + (*text - '0');
	}
	return n;
}

static int real_time(const char *text)
{
	char base[6];

	if (strlen(text) < 5)
		return -EINVAL;
	memcpy(base, text, 5);
	base[5] = '\0';
	const int from = is_word(base, "RTMIN") ? RT_FIRST : is_word(base, "RTMAX") ? RT_LAST : 0;
	const char sign = text[5];
	const int by = sign ? number(text + 6) : 0;
	if (!from || by < 0 || (sign && sign != '+' && sign != '-'))
		return -EINVAL;
	const int sig = sign == '-' ? from - by : from + by;
	return sig >= RT_FIRST && sig <= RT_LAST ? sig : -EINVAL;
}

int as_signal_number(const char *name)
{
	char start[4] = "";

	memcpy(start, name, strlen(name) < 3 ? strlen(name) : 3);
	if (is_word(start, "SIG"))
		name += 3;
	const int n = number(name);
	if (n > 0 && n <= RT_LAST && n != 32 && n != 33)
		return n;
	for (unsigned i = 0; i < NAMES; i++)
		if (is_word(name, names[i].name))
			return names[i].number;
	return real_time(name);
}

char *as_signal_name(char buf[AS_SIGNAL_NAME], int sig)
{
	struct as_fmt f;

	as_fmt_init(&f, buf, AS_SIGNAL_NAME);
	as_fmt_str(&f, "SIG");
	for (unsigned i = 0; i < NAMES; i++)
		if (names[i].number == sig) {
			as_fmt_str(&f, names[i].name);
			return buf;
		}
	if (sig < RT_FIRST || sig > RT_LAST) {
		as_fmt_i64(&f, sig);
		return buf;
	}
	as_fmt_str(&f, "RTMIN+");
	as_fmt_i64(&f, sig - RT_FIRST);
	return buf;
}
