#include "lib/proc/proc_status.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/t.h"

TEST(owner_tracer_and_inner_pid_are_read_from_the_text)
{
	struct proc_status s;

	proc_status_parse("Name:\tx\nTracerPid:\t99\nUid:\t1000\t1001\t1002\t1003\n"
			  "Groups:\t4 24 27\nNSpid:\t4112\t17\t1\nVmSize:\t 10 kB\n"
			  "SigQ:\t0/15446\nSeccomp:\t2\n",
			  &s);
	T_EQ(s.uid, 1001);
	T_EQ(s.tracer, 99);
	T_EQ(s.inner_pid, 1);
	T_EQ(s.levels, 3);
	T_OK(s.level_pid[0] == 4112 && s.level_pid[1] == 17 && s.level_pid[2] == 1);
	T_EQ(s.seccomp, 2);
	T_OK(s.has_memory);
}

TEST(what_an_old_kernel_does_not_say_is_unknown)
{
	struct proc_status s;

	proc_status_parse("Name:\tkthreadd\nNSpidX:\t3\n", &s);
	T_EQ(s.inner_pid, 0);
	T_EQ(s.levels, 0);
	T_EQ(s.seccomp, -1);
	T_OK(!s.has_memory);
}

TEST(signals_are_counted_from_one)
{
	T_OK(proc_mask_has(0x200, SIGUSR1) && !proc_mask_has(0x200, SIGUSR2));
	T_OK(proc_mask_has(1ull << 63, 64) && !proc_mask_has(~0ull, 65));
	T_OK(!proc_mask_has(~0ull, 0));
}

static void handler(int sig)
{
	(void)sig;
}

static void *mask_and_wait(void *arg)
{
	int *ends = arg, tid = (int)syscall(SYS_gettid);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	T_EQ(write(ends[1], &tid, sizeof(tid)), sizeof(tid));
	pause();
	return NULL;
}

TEST(the_mask_is_that_of_the_thread_and_the_handlers_are_those_of_the_process)
{
	struct proc_status main_thread, other;
	pthread_t thread;
	int ends[2], tid;

	T_EQ(pipe(ends), 0);
	signal(SIGUSR1, handler);
	T_EQ(pthread_create(&thread, NULL, mask_and_wait, ends), 0);
	T_EQ(read(ends[0], &tid, sizeof(tid)), sizeof(tid));
	T_EQ(proc_status(getpid(), getpid(), &main_thread, NULL), 0);
	T_EQ(proc_status(getpid(), tid, &other, NULL), 0);
	T_OK(!proc_mask_has(main_thread.signals.blocked, SIGUSR2));
	T_OK(proc_mask_has(other.signals.blocked, SIGUSR2));
	T_OK(proc_mask_has(main_thread.signals.caught, SIGUSR1) && proc_mask_has(other.signals.caught, SIGUSR1));
	T_EQ(main_thread.uid, geteuid());
	T_OK(other.has_memory);
}

TEST(a_thread_that_is_gone_is_said_to_be_gone)
{
	struct proc_status s;
	struct err err;

	T_EQ(proc_status(getpid(), 0x3fffffff, &s, &err), -ESRCH);
	T_HAS(err.text, "task/1073741823/status is gone");
	T_EQ(proc_status(0x3fffffff, 0x3fffffff, &s, &err), -ESRCH);
	T_STR(err.text, "pid 1073741823: no such process");
}
