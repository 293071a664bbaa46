#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/pl_priv.h"

/*
 * New processes. Masks survive fork and exec, so the dump signal must not stay blocked there
 * because of us: a fork child unblocks it (it has no dumper; our handler is still installed),
 * and around exec, posix_spawn and their like it is let through for a moment, in which our
 * handler is the net.
 *
 * A vfork child runs in its parent's memory. It sees the parent's state as its own, so nothing
 * in there may be changed by it: dump_thread.in_vfork says so, and the view is put back when
 * the parent goes on.
 */

void pl_fork_child(void)
{
	const bool kept = dump_state.kept;

	dump_thread.in_vfork = false;
	if (!kept)
		return;
	dump_state.kept = false;
	if (!dump_thread.blocks)
		pl_mask_unblock();
}

PL_EXPORT pid_t _Fork(void)
{
	const pid_t pid = pl_real._Fork();

	if (pid == 0)
		pl_fork_child();
	return pid;
}

/* ---- vfork ---------------------------------------------------------------------------------- */

void pl_vfork_begin(void);
void pl_vfork_end(void);

__attribute__((used, visibility("hidden"))) void pl_vfork_begin(void)
{
	dump_thread.vfork_blocks = dump_thread.blocks;
	dump_thread.in_vfork = true;
}

/* In the parent, when the child has ended or become another program. */
__attribute__((used, visibility("hidden"))) void pl_vfork_end(void)
{
	dump_thread.blocks = dump_thread.vfork_blocks;
	dump_thread.in_vfork = false;
}

/*
 * The child returns first, on the same stack, and goes on writing to it; so the return address
 * is kept in a register, which the kernel gives back to each.
 */
__asm__(".text\n"
	".globl vfork\n"
	".type vfork,@function\n"
	"vfork:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	subq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call	pl_vfork_begin\n"
	"	addq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq	%rdi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_register %rip, %rdi\n"
	"	movl	$58, %eax\n"
	"	syscall\n"
	"	pushq	%rdi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %rip, 0\n"
	"	testl	%eax, %eax\n"
	"	je	1f\n"
	"	pushq	%rax\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call	pl_vfork_end\n"
	"	popq	%rax\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	cmpq	$-4095, %rax\n"
	"	jae	2f\n"
	"1:	ret\n"
	"2:	subq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	negl	%eax\n"
	"	movl	%eax, %edi\n"
	"	call	pl_set_errno\n"
	"	addq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size vfork, . - vfork\n"
	".globl __vfork\n"
	".set __vfork, vfork\n");

long pl_set_errno(int err);

__attribute__((used, visibility("hidden"))) long pl_set_errno(int err)
{
	errno = err;
	return -1;
}

/* ---- exec ----------------------------------------------------------------------------------- */

PL_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	const bool opened = pl_mask_open();
	const int err = pl_real.execve(path, argv, env);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	const bool opened = pl_mask_open();
	const int err = pl_real.execvpe(file, argv, env);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	const bool opened = pl_mask_open();
	const int err = pl_real.fexecve(fd, argv, env);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const env[],
		       int flags)
{
	const bool opened = pl_mask_open();
	const int err = pl_real.execveat(dirfd, path, argv, env, flags);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

PL_EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

/* The arguments of an execl() from `first` up to its NULL, as an array in the caller's frame. */
#define ARGUMENTS(argv, first, ap)                                                   \
	do {                                                                         \
		size_t n_ = 1;                                                       \
		va_start(ap, first);                                                 \
		while (va_arg(ap, char *))                                           \
			n_++;                                                        \
		va_end(ap);                                                          \
		(argv) = alloca((n_ + 1) * sizeof(char *));                          \
		va_start(ap, first);                                                 \
		(argv)[0] = (char *)(uintptr_t)(first);                              \
		for (size_t i_ = 1; i_ <= n_; i_++)                                  \
			(argv)[i_] = va_arg(ap, char *);                             \
	} while (0)

PL_EXPORT int execl(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	ARGUMENTS(argv, arg, ap);
	va_end(ap);
	return execve(path, argv, environ);
}

PL_EXPORT int execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	ARGUMENTS(argv, arg, ap);
	va_end(ap);
	return execvpe(file, argv, environ);
}

PL_EXPORT int execle(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	ARGUMENTS(argv, arg, ap);
	char *const *env = va_arg(ap, char *const *);
	va_end(ap);
	return execve(path, argv, env);
}

/* ---- starting others without exec of our own ------------------------------------------------ */

PL_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	const bool opened = pl_mask_open();
	const int err = pl_real.posix_spawn(pid, path, actions, attr, argv, env);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	const bool opened = pl_mask_open();
	const int err = pl_real.posix_spawnp(pid, file, actions, attr, argv, env);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int system(const char *command)
{
	const bool opened = pl_mask_open();
	const int status = pl_real.system(command);

	pl_mask_close(opened);
	return status;
}

PL_EXPORT FILE *popen(const char *command, const char *mode)
{
	const bool opened = pl_mask_open();
	FILE *f = pl_real.popen(command, mode);

	pl_mask_close(opened);
	return f;
}
