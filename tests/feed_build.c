#include "tests/feed_build.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/t.h"

const char *feed_build_dir(void)
{
	static char dir[256];

	snprintf(dir, sizeof(dir), "%s/feeds", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	mkdir(dir, 0700);
	return dir;
}

void feed_build_clean(void)
{
	const char *dir = feed_build_dir();
	DIR *d = opendir(dir);
	const struct dirent *entry;

	T_OK(d);
	while ((entry = readdir(d)))
		unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	rmdir(dir);
}

void feed_build_line(struct feed_build *b, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	T_OK(n > 0 && (size_t)n < sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	fprintf(b->f, "%s\n", text);
}

void feed_build_begin_boot(struct feed_build *b, const char *name, int pid, uint64_t start,
			   const char *boot, uint64_t later_us)
{
	snprintf(b->path, sizeof(b->path), "%s/%s-%d-1.ndjson", feed_build_dir(), name, pid);
	b->f = fopen(b->path, "w");
	T_OK(b->f);
	b->pid = pid;
	feed_build_line(b,
			"{'v':1,'t':'feed','boot':'%s','host':'box','pidns':4026531836,'pid':%d,'start':%llu,"
			"'image':'0x%x','comm':'%s','exe':'/usr/bin/%s','uid':1000,'writer':'0.1.0',"
			"'segment':1,'by':'self','mono_us':1000000,'real_us':%llu,'caps':['peek']}",
			boot, pid, (unsigned long long)start, pid, name, name,
			1700000001000000ull + (unsigned long long)later_us);
}

void feed_build_begin(struct feed_build *b, const char *name, int pid, uint64_t start)
{
	feed_build_begin_boot(b, name, pid, start, FEED_BUILD_BOOT, 0);
}

void feed_build_end(struct feed_build *b)
{
	T_EQ(fclose(b->f), 0);
}

void feed_build_dump(struct feed_build *b, int d, uint64_t family, uint64_t mono_us)
{
	feed_build_line(b,
			"{'v':1,'t':'dump','d':%d,'family':'0x%llx','why':'signal','sender':null,"
			"'mono_us':%llu,'real_us':%llu}",
			d, (unsigned long long)family, (unsigned long long)mono_us,
			1700000000000000ull + (unsigned long long)mono_us);
}

void feed_build_look(struct feed_build *b, int d, int look, uint64_t mono_us)
{
	feed_build_line(b, "{'v':1,'t':'look','d':%d,'look':%d,'mono_us':%llu}", d, look,
			(unsigned long long)mono_us);
}

void feed_build_hub(struct feed_build *b, int d, int look, const char *role, int peer)
{
	feed_build_line(b,
			"{'v':1,'t':'hub','d':%d,'look':%d,'h':0,'path':'/dev/shm/demo.hub',"
			"'id':'0xfeed','role':'%s','peer':%d,'host_pid':4101,'host_start':70,"
			"'created_us':%d,'file_bytes':268435456,'version':1,'writer':'0.1.0',"
			"'ring_cells':256,'calls_max':8192,'calls_pending':1,'last_alive_us':1900000,"
			"'stopping':0,'no_space':2,'no_space_us':1800000,'calls_waited':3,"
			"'calls_refused':4,'error':null}",
			d, look, role, peer, FEED_BUILD_CREATED_US);
}

void feed_build_peer(struct feed_build *b, int d, int look, int peer, const char *name, int pid,
		     uint64_t start)
{
	feed_build_line(b,
			"{'v':1,'t':'peer','d':%d,'look':%d,'h':0,'peer':%d,'name':'%s','pid':%d,"
			"'start':%llu,'state':'live','incarnation':2,'exit_status':-1,"
			"'started_us':600000,'died_us':0,'loop_tid':%d,'beat':'asleep',"
			"'beat_method':0,'beat_ms':700,'flag':1,'flag_ms':700,'host_flag':0,"
			"'host_flag_ms':0,'host_tid':4101,'host_beat':'handler','host_beat_method':7,"
			"'host_beat_ms':800,'calls_pending':5,'slots_held':6,'restarts':1,"
			"'alloc_failed':8,'host_alloc_failed':9,'handled':1034}",
			d, look, peer, name, pid, (unsigned long long)start, pid);
}

void feed_build_ring(struct feed_build *b, int d, int look, int peer, const char *dir,
		     uint64_t head, uint64_t tail, int bell)
{
	char bytes[16] = "null", oldest[160] = "null";

	if (bell >= 0)
		snprintf(bytes, sizeof(bytes), "%d", bell);
	if (head > tail)
		snprintf(oldest, sizeof(oldest),
			 "{'pos':%llu,'time_ms':900,'call':65537,'kind':'call','method':2,'len':180,"
			 "'slot':null}",
			 (unsigned long long)tail);
	feed_build_line(b,
			"{'v':1,'t':'ring','d':%d,'look':%d,'h':0,'peer':%d,'dir':'%s','head':%llu,"
			"'tail':%llu,'published':%llu,'waiting':%llu,'capacity':256,'sending':0,"
			"'bell':%s,'bell_ms':650,'messages':%llu,'bytes':4096,'taken':%llu,'bells':40,"
			"'bell_head':12,'sleeps':41,'full':1,'full_waits':2,'rescues':3,'refused':4,"
			"'take_ms':640,'damage':null,'oldest':%s,'newest':null}",
			d, look, peer, dir, (unsigned long long)head, (unsigned long long)tail,
			(unsigned long long)head, (unsigned long long)(head - tail), bytes,
			(unsigned long long)head, (unsigned long long)tail, oldest);
}

void feed_build_thread(struct feed_build *b, int d, int tid, int sys, int stack)
{
	char number[16] = "null";

	if (stack >= 0)
		snprintf(number, sizeof(number), "%d", stack);
	feed_build_line(b,
			"{'v':1,'t':'thread','d':%d,'tid':%d,'name':'t%d','state':'%c','own':false,"
			"'captured':'peek','disturbed':false,'moved':false,'sys':%d,'args':['0x7','0x0',"
			"'0x20','0xffffffffffffffff','0x0','0x0'],'sp':'0x7ffd0000','pc':'0x7f000010a0c6',"
			"'stack':%s,'reason':null,'blocked_ms':8400,'wchan':'ep_poll'}",
			d, tid, tid, sys < 0 ? 'R' : 'S', sys, number);
}

void feed_build_done(struct feed_build *b, int d, uint64_t mono_us)
{
	feed_build_line(b,
			"{'v':1,'t':'done','d':%d,'mono_us':%llu,'threads':1,'captured':1,"
			"'disturbed':0,'us':10,'timeout':false}",
			d, (unsigned long long)mono_us);
}
