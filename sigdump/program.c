#include "sigdump/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

enum { HEAD = 4096, INTERPRETERS = 4 };

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int not_found(const char *command, bool seen, struct err *err)
{
	struct stat st;

	if (seen && stat(command, &st) == 0 && S_ISDIR(st.st_mode)) {
		err_set(err, -EACCES, "%s: a directory, not a program", command);
		return err_next(err, "the program in it");
	}
	if (seen) {
		err_set(err, -EACCES, "%s: cannot be executed (permission denied)", command);
		return err_next(err, "chmod +x %s, or its interpreter first: sigdump run -- sh %s",
				command, command);
	}
	err_set(err, -ENOENT, "%s: not found", command);
	return err_next(err, strchr(command, '/') ? "check the path" : "looked for it along PATH");
}

int program_find(const char *command, char *path, size_t room, struct err *err)
{
	const char *list = getenv("PATH");
	bool seen = false;

	if (strchr(command, '/')) {
		snprintf(path, room, "%s", command);
		return is_program(path) ? 0 : not_found(command, access(path, F_OK) == 0, err);
	}
	for (const char *dir = list && *list ? list : "/bin:/usr/bin"; dir;) {
		const size_t n = strcspn(dir, ":");

		snprintf(path, room, "%.*s%s%s", (int)n, dir, n ? "/" : "./", command);
		if (is_program(path))
			return 0;
		seen = seen || access(path, F_OK) == 0;
		dir = dir[n] ? dir + n + 1 : NULL;
	}
	return not_found(command, seen, err);
}

/* Does executing it give other rights than we have? Only then the loader is in secure mode. */
static bool changes_rights(const char *path, const struct stat *st)
{
	if ((st->st_mode & S_ISUID) && st->st_uid != getuid())
		return true;
	if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP) && st->st_gid != getgid())
		return true;
	return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* The path behind "#!"; NULL when the file is no script. */
static char *interpreter(char *head)
{
	if (memcmp(head, "#!", 2) != 0)
		return NULL;
	char *name = head + 2 + strspn(head + 2, " \t");
	name[strcspn(name, " \t\n")] = '\0';
	return *name ? name : NULL;
}

static bool has_loader(const char *head, ssize_t n)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;

	memcpy(&e, head, sizeof(e));
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const uint64_t at = e.e_phoff + (uint64_t)i * e.e_phentsize;

		if (at > (uint64_t)n || (uint64_t)n - at < sizeof(p))
			return true; /* not seen: let exec decide */
		memcpy(&p, head + at, sizeof(p));
		if (p.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static int check_elf(const char *path, const char *head, ssize_t n, struct err *err)
{
	if (n < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return 0; /* exec knows what to say */
	if (head[EI_CLASS] != ELFCLASS64 || head[offsetof(Elf64_Ehdr, e_machine)] != EM_X86_64) {
		err_set(err, -ENOEXEC, "%s: not an x86-64 program: the library cannot be loaded into it; "
			"not started", path);
		return err_next(err, "look at it from outside: `sigdump dump -p PID` while it runs");
	}
	if (has_loader(head, n))
		return 0;
	err_set(err, -ENOEXEC, "%s: statically linked: nothing can be preloaded; not started", path);
	return err_next(err, "link it dynamically, or link libsigdump.a");
}

int program_check(const char *path, struct err *err)
{
	char file[PATH_MAX], head[HEAD + 1];

	snprintf(file, sizeof(file), "%s", path);
	for (unsigned i = 0; i < INTERPRETERS; i++) {
		struct stat st;
		CLOSES int fd = open(file, O_RDONLY | O_CLOEXEC);

		if (stat(file, &st) == 0 && changes_rights(file, &st)) {
			err_set(err, -EPERM, "%s: set-user-ID or file capabilities: the loader would "
				"ignore LD_PRELOAD; not started", file);
			return err_next(err, "run an unprivileged copy, or use `shmtop -H HUB` which "
					     "needs no library");
		}
		if (fd < 0)
			return 0; /* executable but not readable: exec will do it */
		const ssize_t n = read(fd, head, HEAD);
		head[n > 0 ? n : 0] = '\0';
		char *next = n > 2 ? interpreter(head) : NULL;
		if (!next)
			return check_elf(file, head, n, err);
		snprintf(file, sizeof(file), "%s", next);
	}
	return 0;
}
