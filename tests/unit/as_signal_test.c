#include <errno.h>
#include <signal.h>

#include "lib/as/as_signal.h"
#include "tests/t.h"

TEST(a_signal_is_known_by_its_name_with_and_without_sig_in_any_case_and_by_its_number)
{
	T_EQ(as_signal_number("USR1"), SIGUSR1);
	T_EQ(as_signal_number("SIGUSR1"), SIGUSR1);
	T_EQ(as_signal_number("sigusr2"), SIGUSR2);
	T_EQ(as_signal_number("12"), SIGUSR2);
	T_EQ(as_signal_number("WINCH"), SIGWINCH);
}

TEST(real_time_signals_count_from_both_ends)
{
	T_EQ(as_signal_number("RTMIN"), SIGRTMIN);
	T_EQ(as_signal_number("SIGRTMIN+3"), SIGRTMIN + 3);
	T_EQ(as_signal_number("rtmax-2"), SIGRTMAX - 2);
	T_EQ(as_signal_number("64"), SIGRTMAX);
}

TEST(what_is_no_signal_is_refused)
{
	static const char *const bad[] = { "",      "SIG",      "USR3",    "USR11",  "0",
					   "65",    "32",       "33",      "-1",     "RTMIN-1",
					   "RTMAX+1", "RTMIN+99", "RTMIN+", "RTMIN3", "1 0",
					   "SIGSIGUSR1", "RTMINUS" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (as_signal_number(bad[i]) != -EINVAL)
			T_FAIL("\"%s\" is signal %d", bad[i], as_signal_number(bad[i]));
}

TEST(every_signal_has_a_name_that_leads_back_to_it)
{
	char buf[AS_SIGNAL_NAME];

	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig < 32 || sig > 33)
			T_EQ(as_signal_number(as_signal_name(buf, sig)), sig);
	T_STR(as_signal_name(buf, SIGUSR1), "SIGUSR1");
	T_STR(as_signal_name(buf, SIGRTMIN + 3), "SIGRTMIN+3");
	T_STR(as_signal_name(buf, 33), "SIG33");
}
