/*
 * as_sys - system calls without the C library (x86_64 Linux).
 *
 * Inside a signal handler, in the dumper of a hung process or under an interposed function,
 * a libc wrapper is the wrong tool: it stores to errno, is a cancellation point, may be
 * interposed by the program (or by ourselves), and may not be bound yet. These do one
 * instruction. They return the kernel's answer: >= 0, or a negative errno; errno is never
 * touched.
 *
 * Safety, for every function here: AS-safe, MT-safe; blocks exactly as its system call does.
 */
#ifndef SHMSCOPE_AS_SYS_H
#define SHMSCOPE_AS_SYS_H

#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifndef __x86_64__
#error "lib/as is written for x86_64 Linux"
#endif

static inline long as_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long as_sys3(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

/* ---- files ----------------------------------------------------------------------------- */

static inline ssize_t as_sys_read(int fd, void *buf, size_t n)
{
	return as_sys3(SYS_read, fd, (long)buf, (long)n);
}

static inline ssize_t as_sys_write(int fd, const void *buf, size_t n)
{
	return as_sys3(SYS_write, fd, (long)buf, (long)n);
}

static inline ssize_t as_sys_pread(int fd, void *buf, size_t n, uint64_t at)
{
	return as_sys6(SYS_pread64, fd, (long)buf, (long)n, (long)at, 0, 0);
}

static inline ssize_t as_sys_pwrite(int fd, const void *buf, size_t n, uint64_t at)
{
	return as_sys6(SYS_pwrite64, fd, (long)buf, (long)n, (long)at, 0, 0);
}

static inline int as_sys_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return (int)as_sys6(SYS_openat, dirfd, (long)path, flags, mode, 0, 0);
}

static inline int as_sys_close(int fd)
{
	return (int)as_sys3(SYS_close, fd, 0, 0);
}

static inline int as_sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)as_sys3(SYS_close_range, first, last, flags);
}

static inline int64_t as_sys_lseek(int fd, int64_t at, int whence)
{
	return as_sys3(SYS_lseek, fd, at, whence);
}

static inline int as_sys_fcntl(int fd, int cmd, long arg)
{
	return (int)as_sys3(SYS_fcntl, fd, cmd, arg);
}

static inline int as_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)as_sys3(SYS_ioctl, fd, (long)request, (long)arg);
}

static inline int as_sys_ftruncate(int fd, uint64_t bytes)
{
	return (int)as_sys3(SYS_ftruncate, fd, (long)bytes, 0);
}

static inline int as_sys_fstat(int fd, struct stat *st)
{
	return (int)as_sys3(SYS_fstat, fd, (long)st, 0);
}

static inline int as_sys_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return (int)as_sys6(SYS_newfstatat, dirfd, (long)path, (long)st, flags, 0, 0);
}

static inline int as_sys_statx(int dirfd, const char *path, int flags, unsigned mask,
			       struct statx *st)
{
	return (int)as_sys6(SYS_statx, dirfd, (long)path, flags, mask, (long)st, 0);
}

static inline int as_sys_getdents64(int fd, void *buf, size_t n)
{
	return (int)as_sys3(SYS_getdents64, fd, (long)buf, (long)n);
}

static inline ssize_t as_sys_readlinkat(int dirfd, const char *path, char *buf, size_t n)
{
	return as_sys6(SYS_readlinkat, dirfd, (long)path, (long)buf, (long)n, 0, 0);
}

static inline int as_sys_mkdirat(int dirfd, const char *path, unsigned mode)
{
	return (int)as_sys3(SYS_mkdirat, dirfd, (long)path, mode);
}

static inline int as_sys_renameat2(int from, const char *old, int to, const char *path,
				   unsigned flags)
{
	return (int)as_sys6(SYS_renameat2, from, (long)old, to, (long)path, flags, 0);
}

static inline int as_sys_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)as_sys3(SYS_unlinkat, dirfd, (long)path, flags);
}

static inline int as_sys_pipe2(int fds[2], int flags)
{
	return (int)as_sys3(SYS_pipe2, (long)fds, flags, 0);
}

static inline int as_sys_memfd_create(const char *name, unsigned flags)
{
	return (int)as_sys3(SYS_memfd_create, (long)name, flags, 0);
}

static inline int as_sys_poll(struct pollfd *fds, unsigned n, const struct timespec *timeout)
{
	return (int)as_sys6(SYS_ppoll, (long)fds, n, (long)timeout, 0, 0, 0);
}

/* ---- memory ---------------------------------------------------------------------------- */

/* Address, or a negative errno: test with as_sys_is_error(). */
static inline void *as_sys_mmap(void *at, size_t n, int prot, int flags, int fd, uint64_t offset)
{
	return (void *)as_sys6(SYS_mmap, (long)at, (long)n, prot, flags, fd, (long)offset);
}

static inline int as_sys_is_error(const void *address)
{
	return (uintptr_t)address > (uintptr_t)-4096;
}

static inline int as_sys_munmap(void *at, size_t n)
{
	return (int)as_sys3(SYS_munmap, (long)at, (long)n, 0);
}

static inline int as_sys_mprotect(void *at, size_t n, int prot)
{
	return (int)as_sys3(SYS_mprotect, (long)at, (long)n, prot);
}

static inline int as_sys_madvise(void *at, size_t n, int advice)
{
	return (int)as_sys3(SYS_madvise, (long)at, (long)n, advice);
}

/* Copies from another process (or this one) without stopping it; bytes copied or -errno. */
static inline ssize_t as_sys_process_vm_readv(pid_t pid, const struct iovec *to, unsigned n_to,
					      const struct iovec *from, unsigned n_from)
{
	return as_sys6(SYS_process_vm_readv, pid, (long)to, n_to, (long)from, n_from, 0);
}

/* ---- processes, threads, signals -------------------------------------------------------- */

static inline pid_t as_sys_getpid(void)
{
	return (pid_t)as_sys3(SYS_getpid, 0, 0, 0);
}

static inline pid_t as_sys_getppid(void)
{
	return (pid_t)as_sys3(SYS_getppid, 0, 0, 0);
}

static inline uid_t as_sys_geteuid(void)
{
	return (uid_t)as_sys3(SYS_geteuid, 0, 0, 0);
}

static inline pid_t as_sys_gettid(void)
{
	return (pid_t)as_sys3(SYS_gettid, 0, 0, 0);
}

static inline int as_sys_kill(pid_t pid, int sig)
{
	return (int)as_sys3(SYS_kill, pid, sig, 0);
}

static inline int as_sys_tgkill(pid_t pid, pid_t tid, int sig)
{
	return (int)as_sys3(SYS_tgkill, pid, tid, sig);
}

static inline int as_sys_rt_tgsigqueueinfo(pid_t pid, pid_t tid, int sig, siginfo_t *info)
{
	return (int)as_sys6(SYS_rt_tgsigqueueinfo, pid, tid, sig, (long)info, 0, 0);
}

static inline int as_sys_rt_sigqueueinfo(pid_t pid, int sig, siginfo_t *info)
{
	return (int)as_sys3(SYS_rt_sigqueueinfo, pid, sig, (long)info);
}

/* The kernel's signal set is one word: bit (sig - 1). */
static inline int as_sys_rt_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)as_sys6(SYS_rt_sigprocmask, how, (long)set, (long)old, sizeof(*set), 0, 0);
}

static inline int as_sys_rt_sigpending(uint64_t *set)
{
	return (int)as_sys3(SYS_rt_sigpending, (long)set, sizeof(*set), 0);
}

/* `act` and `old` are the kernel's struct sigaction (handler, flags, restorer, mask). */
struct as_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

static inline int as_sys_rt_sigaction(int sig, const struct as_sigaction *act,
				      struct as_sigaction *old)
{
	return (int)as_sys6(SYS_rt_sigaction, sig, (long)act, (long)old, sizeof(uint64_t), 0, 0);
}

/* The signal taken, or -EAGAIN after the timeout (NULL: for ever). */
static inline int as_sys_rt_sigtimedwait(const uint64_t *set, siginfo_t *info,
					 const struct timespec *timeout)
{
	return (int)as_sys6(SYS_rt_sigtimedwait, (long)set, (long)info, (long)timeout,
			    sizeof(*set), 0, 0);
}

static inline int as_sys_signalfd(int fd, const uint64_t *set, int flags)
{
	return (int)as_sys6(SYS_signalfd4, fd, (long)set, sizeof(*set), flags, 0, 0);
}

static inline int as_sys_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)as_sys3(SYS_pidfd_open, pid, flags, 0);
}

static inline int as_sys_pidfd_getfd(int pidfd, int their_fd)
{
	return (int)as_sys3(SYS_pidfd_getfd, pidfd, their_fd, 0);
}

static inline int as_sys_pidfd_send_signal(int pidfd, int sig, siginfo_t *info)
{
	return (int)as_sys6(SYS_pidfd_send_signal, pidfd, sig, (long)info, 0, 0, 0);
}

static inline long as_sys_prctl(int option, long a, long b, long c, long d)
{
	return as_sys6(SYS_prctl, option, a, b, c, d, 0);
}

static inline long as_sys_ptrace(long request, pid_t pid, void *addr, void *data)
{
	return as_sys6(SYS_ptrace, request, pid, (long)addr, (long)data, 0, 0);
}

/* fork() that sends no signal when the child ends: __WALL waits for it. */
static inline pid_t as_sys_fork_silently(void)
{
	return (pid_t)as_sys6(SYS_clone, 0, 0, 0, 0, 0, 0);
}

static inline int as_sys_wait4(pid_t pid, int *status, int options)
{
	return (int)as_sys6(SYS_wait4, pid, (long)status, options, 0, 0, 0);
}

static inline int as_sys_sched_yield(void)
{
	return (int)as_sys3(SYS_sched_yield, 0, 0, 0);
}

static inline int as_sys_unshare(int flags)
{
	return (int)as_sys3(SYS_unshare, flags, 0, 0);
}

__attribute__((noreturn)) static inline void as_sys_exit_thread(int status)
{
	for (;;)
		as_sys3(SYS_exit, status, 0, 0);
}

__attribute__((noreturn)) static inline void as_sys_exit_group(int status)
{
	for (;;)
		as_sys3(SYS_exit_group, status, 0, 0);
}

/* ---- time and waiting ------------------------------------------------------------------- */

static inline int as_sys_clock_gettime(clockid_t clock, struct timespec *ts)
{
	return (int)as_sys3(SYS_clock_gettime, clock, (long)ts, 0);
}

/* The clock in ns; 0 for a clock that does not exist. */
static inline uint64_t as_sys_clock_ns(clockid_t clock)
{
	struct timespec ts = { 0, 0 };

	as_sys_clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* `op` as the kernel's: FUTEX_WAIT, FUTEX_WAKE, ... with FUTEX_PRIVATE_FLAG as wanted. */
static inline int as_sys_futex(const void *word, int op, uint32_t value,
			       const struct timespec *timeout, const void *word2, uint32_t value3)
{
	return (int)as_sys6(SYS_futex, (long)word, op, (long)value, (long)timeout, (long)word2,
			    (long)value3);
}

static inline ssize_t as_sys_getrandom(void *buf, size_t n, unsigned flags)
{
	return as_sys3(SYS_getrandom, (long)buf, (long)n, flags);
}

/* ---- sockets ---------------------------------------------------------------------------- */

static inline int as_sys_socket(int family, int type, int protocol)
{
	return (int)as_sys3(SYS_socket, family, type, protocol);
}

static inline ssize_t as_sys_sendto(int fd, const void *buf, size_t n, int flags, const void *to,
				    unsigned to_bytes)
{
	return as_sys6(SYS_sendto, fd, (long)buf, (long)n, flags, (long)to, to_bytes);
}

static inline ssize_t as_sys_recv(int fd, void *buf, size_t n, int flags)
{
	return as_sys6(SYS_recvfrom, fd, (long)buf, (long)n, flags, 0, 0);
}

#endif
