#include "shmtop/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "shmtop/keys.h"

/*
 * What a fatal signal needs to restore the terminal, prepared while all is well. Safety: written
 * before the handlers are installed, then only read; tcsetattr() and write() are async-signal-safe.
 */
static struct {
	struct termios modes;
	bool has_modes;
	int fd;
	char bytes[256];
	size_t n;
} restore = { .fd = -1 };

/* Safety: set by the handler, read by the loop. */
static volatile sig_atomic_t ending_signal;
static SCREEN *terminal;
static FILE *keyboard;
static int wake_pipe[2] = { -1, -1 };

/* ---- signals ----------------------------------------------------------------------------- */

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void on_fatal(int sig)
{
	if (restore.fd >= 0) {
		(void)!write(restore.fd, restore.bytes, restore.n);
		if (restore.has_modes)
			tcsetattr(restore.fd, TCSANOW, &restore.modes);
	}
	/* SA_RESETHAND has put the default back: now it ends as it would have */
	raise(sig);
}

static void on_ending(int sig)
{
	const int saved = errno;

	ending_signal = sig;
	(void)!write(wake_pipe[1], "", 1);
	errno = saved;
}

static void install(const int *list, size_t n, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_flags = flags };

	sa.sa_handler = handler;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < n; i++)
		sigaction(list[i], &sa, NULL);
}

/* A terminfo string without its padding ("$<5>"). */
static void add_restore(const char *capability)
{
	const char *s = tigetstr(capability);

	if (!s || s == (const char *)-1)
		return;
	while (*s && restore.n < sizeof(restore.bytes)) {
		const char *pad = s[0] == '$' && s[1] == '<' ? strchr(s, '>') : NULL;

		if (pad)
			s = pad + 1;
		else
			restore.bytes[restore.n++] = *s++;
	}
}

static void prepare_restore(void)
{
	static const char mouse_off[] = "\033[?1000l\033[?1002l\033[?1003l\033[?1006l";

	restore.n = 0;
	memcpy(restore.bytes, mouse_off, sizeof(mouse_off) - 1);
	restore.n = sizeof(mouse_off) - 1;
	add_restore("sgr0");
	add_restore("rmkx");
	add_restore("cnorm");
	add_restore("rmcup");
	restore.fd = STDOUT_FILENO;
}

/* ---- taking and giving back -------------------------------------------------------------- */

static int make_pipe(struct err *err)
{
	if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK))
		return err_set(err, -errno, "pipe: %m");
	return 0;
}

/* Keys come from the terminal, also when stdin is a file or a pipe. */
static FILE *open_keyboard(void)
{
	return isatty(STDIN_FILENO) ? fdopen(dup(STDIN_FILENO), "r") : fopen("/dev/tty", "re");
}

int screen_is_possible(struct err *err)
{
	const char *term = getenv("TERM");
	int status;

	if (!isatty(STDOUT_FILENO))
		return err_set(err, -ENOTTY, "stdout: not a terminal");
	if (!term || !*term || setupterm(NULL, STDOUT_FILENO, &status) != OK || !cursor_address)
		return err_set(err, -ENOTSUP, "terminal \"%s\": cannot be drawn on",
			       term ? term : "");
	return 0;
}

int screen_open(bool mouse, struct err *err)
{
	if (make_pipe(err))
		return err ? err->code : -EMFILE;
	/* exported by some shells, they would hold against every later resize */
	unsetenv("LINES");
	unsetenv("COLUMNS");
	restore.has_modes = tcgetattr(STDOUT_FILENO, &restore.modes) == 0;
	keyboard = open_keyboard();
	terminal = keyboard ? newterm(NULL, stdout, keyboard) : NULL;
	if (!terminal) {
		if (keyboard)
			fclose(keyboard);
		return err_set(err, -ENOTSUP, "terminal: cannot be opened");
	}
	prepare_restore();
	install(fatal_signals, sizeof(fatal_signals) / sizeof(*fatal_signals), on_fatal,
		(int)SA_RESETHAND | SA_NODEFER);
	install(ending_signals, sizeof(ending_signals) / sizeof(*ending_signals), on_ending, 0);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		for (short i = 0; i < 8; i++)
			init_pair((short)(i + 1), i, -1);
	}
	mouseinterval(0);
	screen_mouse(mouse);
	return 0;
}

void screen_close(void)
{
	if (!terminal)
		return;
	screen_mouse(false);
	endwin();
	delscreen(terminal);
	terminal = NULL;
	if (restore.has_modes)
		tcsetattr(STDOUT_FILENO, TCSANOW, &restore.modes);
	restore.fd = -1;
	install(fatal_signals, sizeof(fatal_signals) / sizeof(*fatal_signals), SIG_DFL, 0);
	install(ending_signals, sizeof(ending_signals) / sizeof(*ending_signals), SIG_DFL, 0);
	fclose(keyboard);
	keyboard = NULL;
	close(wake_pipe[0]);
	close(wake_pipe[1]);
}

void screen_mouse(bool on)
{
	mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
}

bool screen_has_colors(void)
{
	return has_colors() && COLORS >= 8;
}

int screen_signal(void)
{
	return ending_signal;
}

/* ---- drawing ----------------------------------------------------------------------------- */

void screen_size(int *rows, int *cols)
{
	getmaxyx(stdscr, *rows, *cols);
}

static attr_t attributes_of(const struct style_look *look)
{
	return (look->bold ? A_BOLD : 0) | (look->reverse ? A_REVERSE : 0) |
	       (look->underline ? A_UNDERLINE : 0) | (look->dim ? A_DIM : 0);
}

static void show_cell(int row, int col, const struct canvas_cell *cell, enum scheme scheme)
{
	const struct style_look *look = style_look(scheme, (enum style)cell->style);
	const wchar_t text[2] = { (wchar_t)cell->ch, L'\0' };
	const short pair = look->pen == PEN_OWN ? 0 : (short)(look->pen + 1);
	cchar_t ch;

	setcchar(&ch, text, attributes_of(look), has_colors() ? pair : 0, NULL);
	mvadd_wch(row, col, &ch);
}

void screen_show(const struct canvas *c, enum scheme scheme)
{
	int rows, cols;

	screen_size(&rows, &cols);
	erase();
	for (int r = 0; r < c->rows && r < rows; r++) {
		for (int k = 0; k < c->cols && k < cols; k++) {
			const struct canvas_cell *cell =
				&c->cell[(size_t)r * (size_t)c->cols + (size_t)k];

			if (cell->ch && (cell->ch != ' ' || cell->style != STYLE_PLAIN))
				show_cell(r, k, cell, scheme);
		}
	}
	refresh();
}

/* ---- keys -------------------------------------------------------------------------------- */

void screen_wait(int timeout_ms)
{
	struct pollfd fds[] = { { .fd = fileno(keyboard), .events = POLLIN },
				{ .fd = wake_pipe[0], .events = POLLIN } };

	/* a resize interrupts it: then ncurses has a key for us */
	poll(fds, 2, timeout_ms);
	/* a terminal that went away is no key: end as SIGHUP would have it */
	if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) && !ending_signal)
		ending_signal = SIGHUP;
}

static const struct {
	int theirs, ours;
} special[] = {
	{ KEY_UP, K_UP },
	{ KEY_DOWN, K_DOWN },
	{ KEY_LEFT, K_LEFT },
	{ KEY_RIGHT, K_RIGHT },
	{ KEY_PPAGE, K_PAGE_UP },
	{ KEY_NPAGE, K_PAGE_DOWN },
	{ KEY_HOME, K_HOME },
	{ KEY_END, K_END },
	{ KEY_BTAB, K_BACKTAB },
	{ KEY_BACKSPACE, K_ERASE },
	{ KEY_ENTER, K_ENTER },
	{ KEY_F(1), K_F1 },
	{ KEY_F(3), K_F3 },
	{ KEY_F(4), K_F4 },
	{ KEY_F(10), K_F10 },
	{ KEY_RESIZE, K_RESIZED },
};

static void read_mouse(struct screen_event *event)
{
	MEVENT m;

	event->key = K_NONE;
	if (getmouse(&m) != OK)
		return;
	event->row = m.y;
	event->col = m.x;
	if (m.bstate & BUTTON4_PRESSED)
		event->key = K_WHEEL_UP;
	else
		event->key = m.bstate & BUTTON5_PRESSED ? K_WHEEL_DOWN : K_CLICK;
}

bool screen_next(struct screen_event *event)
{
	wint_t ch;
	const int kind = get_wch(&ch);

	*event = (struct screen_event){ .key = K_NONE };
	if (kind == ERR)
		return false;
	if (kind != KEY_CODE_YES) {
		event->key = (int)ch;
		return true;
	}
	if (ch == KEY_MOUSE)
		read_mouse(event);
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
		if (special[i].theirs == (int)ch)
			event->key = special[i].ours;
	return true;
}
