#include "lib/as/as_record.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/as/as_proc.h"
#include "lib/proc/proc_stat.h"
#include "tests/t.h"

static char line[8192];
static struct as_record record;

/* As the dumper does: looks at its process through itself, because the first thread may end. */
static void *write_head(void *unused)
{
	char path[64];

	prctl(PR_SET_NAME, "dumper");
	snprintf(path, sizeof(path), "/proc/%d", gettid());
	const int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	T_OK(fd >= 0);
	as_record_init(&record, line, sizeof(line), -1);
	as_record_feed(&record, &(struct as_record_about){ .proc_fd = fd, .pid = getpid() });
	close(fd);
	return unused;
}

static uint64_t start_of_a_new_process(void)
{
	const pid_t pid = fork();
	struct proc_stat stat;

	if (pid == 0)
		pause();
	T_EQ(proc_stat(pid, &stat, NULL), 0);
	kill(pid, SIGKILL);
	T_EQ(waitpid(pid, NULL, 0), pid);
	return stat.start_ticks;
}

TEST(a_feed_is_about_the_process_whichever_thread_writes_it)
{
	struct proc_stat self;
	pthread_t thread;

	T_EQ(proc_stat(getpid(), &self, NULL), 0);
	prctl(PR_SET_NAME, "first");
	/* a thread has a start time of its own: not before the next clock tick is it another one */
	while (start_of_a_new_process() == self.start_ticks)
		;
	T_EQ(pthread_create(&thread, NULL, write_head, NULL), 0);
	T_EQ(pthread_join(thread, NULL), 0);
	json_t *head = json_loadb(line, record.json.len, 0, NULL);

	T_OK(head);
	T_STR(json_string_value(json_object_get(head, "t")), "feed");
	T_STR(json_string_value(json_object_get(head, "comm")), "first");
	T_EQ(json_integer_value(json_object_get(head, "start")), self.start_ticks);
	T_EQ(json_integer_value(json_object_get(head, "pid")), getpid());
	json_decref(head);
}
