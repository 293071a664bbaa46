#include "shmtop/dumping.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/library.h"
#include "shmtop/save.h"

extern char **environ;

/* sigdump beside this program; else by PATH. */
static int spawn(pid_t *child, pid_t pid, int out)
{
	char path[PATH_MAX + 16] = "sigdump", target[16];
	char *argv[] = { "sigdump", "dump", "-C", "never", "-p", target, NULL };
	posix_spawn_file_actions_t files;

	if (library_own_directory(path, PATH_MAX))
		strcat(path, "/sigdump");
	if (access(path, X_OK) != 0)
		strcpy(path, "sigdump");
	snprintf(target, sizeof(target), "%d", (int)pid);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, out, 2); /* why it could not stands there as well */
	const int code = posix_spawnp(child, path, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return code;
}

void dumping_start(struct dumping *d, struct ui *ui)
{
	const pid_t pid = ui->wants_dump;

	ui->wants_dump = 0;
	if (d->child) {
		ui_say(ui, "the dump of %s is not done yet", d->name);
		return;
	}
	const int out = save_create("sigdump", d->path, sizeof(d->path));
	if (out < 0) {
		ui_say(ui, "no dump: cannot write here, nor in the home directory: %s", strerror(-out));
		return;
	}
	snprintf(d->name, sizeof(d->name), "%s (%d)", ui->view.chosen ? ui->view.chosen->name : "", (int)pid);
	const int code = spawn(&d->child, pid, out);
	close(out);
	if (code) {
		unlink(d->path);
		d->child = 0;
		ui_say(ui, "no dump: sigdump cannot be started: %s", strerror(code));
		return;
	}
	ui_say(ui, "dumping %s ...", d->name);
}

void dumping_poll(struct dumping *d, struct ui *ui)
{
	int status;

	if (!d->child || waitpid(d->child, &status, WNOHANG) != d->child)
		return;
	d->child = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		ui_say(ui, "dump of %s written: %s", d->name, d->path);
	else
		ui_say(ui, "no dump of %s: %s says why", d->name, d->path);
}
