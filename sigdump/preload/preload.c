/*
 * libsigdump.so - what happens in a process that is started with it.
 *
 * A process is in one of three states:
 *
 *	plain      One thread, nothing registered. There is no thread of ours and no open
 *		   descriptor, only a handler for the dump signal and a control page that shows
 *		   tools that we are here. A dump signal interrupts the one thread: the handler
 *		   writes the dump, then lets the interrupted call begin again, and the dump says
 *		   so. `sigdump dump` sends nothing: it looks from outside.
 *	dumper     From the first pthread_create() or registered hub on: a thread of ours
 *		   (dumper.h says why it is a bare clone) waits for the dump signal, which is kept
 *		   blocked in the program's own threads, and for questions through the control
 *		   page. No thread of the program notices a dump.
 *	the program's signal
 *		   The program handles, ignores or waits for the dump signal itself: it has it,
 *		   masks are its own again, only the control page asks.
 *
 * A fork child is plain again: the page, the dumper and everything that was registered are its
 * parent's. It finds out by a word that fork wipes (dump_state.h), when it first needs to know;
 * until then all of ours it inherited is a handler. A vfork child is its parent's guest and is
 * let alone. exec begins anew, with the signal unblocked before.
 *
 * A process that puts itself under seccomp (pl_seccomp.c) is left alone from then on: a filter
 * kills for system calls that it does not know, and ours would be among them. One that is born
 * under a filter (a container's, a service manager's) lets a child of its own find out.
 *
 * At start: linked with -z initfirst, so that this runs before any other constructor: no
 * thread exists and no handler of the program is installed. The loader is used here and never
 * again (dlsym() may allocate). All memory a dump needs is mapped here; it is touched when it
 * is used, so that a process that is never dumped does not pay for it.
 *
 * SEGV, ABRT, BUS, ILL, FPE and TERM have a handler of ours where the program has the default
 * (pl_fatal.c): it writes a last dump and lets the same signal come again, by default. On a stack
 * that has overflowed, without a signal stack of the program's, no handler can run: no dump.
 *
 * At exit: a feed that exists gets an "end" record. The dumper needs no goodbye.
 *
 * Order of locks: there is one, dump_live->lock (start or stop of the dumper); dump_live->busy
 * is a flag that is tried. Neither is held while anything of the program's is called.
 */
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/pl_priv.h"

extern void *__dso_handle;
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso);

static struct dump_live *reserve_live(void)
{
	void *at = as_sys_mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

	if (as_sys_is_error(at))
		return NULL;
	if (as_sys_madvise(at, 4096, MADV_WIPEONFORK) == 0)
		return at;
	as_sys_munmap(at, 4096);
	return NULL;
}

__attribute__((constructor)) static void preload_start(int argc, char **argv, char **env)
{
	(void)argc;
	(void)argv;
	pl_real_find();
	/* without its memory the library only passes calls on */
	if (dump_reserve() < 0 || !(dump_live = reserve_live()))
		return;
	/* the file's name is the last that the kernel puts there */
	dump_state.stack_end = getauxval(AT_EXECFN);
	pl_seccomp_probe();
	pl_options_read(env);
	dump_state_adopt();
	pl_action_install();
	if (pl_options_held(env))
		pl_mask_unblock();
	pl_fatal_install_all();
	const int fd = dump_state.sandboxed ? -1 : dump_state_new_page();
	if (fd >= 0)
		as_sys_close(fd);
	__register_atfork(NULL, NULL, pl_fork_child, &__dso_handle);
}

__attribute__((destructor)) static void preload_end(void)
{
	if (!dump_state.sandboxed)
		dump_end("exit");
}
