#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_control.h"
#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"
#include "tests/t.h"

/* This process as one that has the library: a page, and a "dumper" that is the test itself. */
struct patient {
	struct as_control *page;
	int page_fd;
	int bell[2];
	int proc_fd;
	char buf[16384];
	struct as_control_found found;
};

static void make_page(struct patient *p)
{
	p->page_fd = memfd_create(AS_CONTROL_NAME, 0);
	T_OK(p->page_fd >= 0 && ftruncate(p->page_fd, AS_CONTROL_BYTES) == 0);
	p->page = mmap(NULL, AS_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->page_fd, 0);
	T_OK(p->page != MAP_FAILED && pipe2(p->bell, O_NONBLOCK) == 0);
	memcpy(p->page->magic, AS_CONTROL_MAGIC, sizeof(p->page->magic));
	p->page->version = AS_CONTROL_VERSION;
	p->page->page_fd = p->page_fd;
	p->page->bell_fd = p->bell[0];
	p->page->image = 77;
	p->page->dumper = gettid();
}

static void make_patient(struct patient *p)
{
	make_page(p);
	p->proc_fd = as_proc_open(0);
	T_EQ(as_control_find(p->proc_fd, getpid(), &p->found, p->buf, sizeof(p->buf)), 0);
}

TEST(a_process_without_the_library_is_told_apart)
{
	struct as_control_found found;
	char buf[16384];
	const int fd = as_proc_open(0);

	T_EQ(as_control_find(fd, getpid(), &found, buf, sizeof(buf)), 0);
	T_OK(!found.library && !found.has_page);
}

TEST(a_page_is_found_by_its_name_and_copied)
{
	static struct patient p;

	make_patient(&p);
	T_OK(p.found.library && p.found.has_page);
	T_EQ(p.found.addr, (uintptr_t)p.page);
	T_EQ(p.found.page.image, 77);
}

TEST(a_page_of_another_version_or_without_its_magic_is_refused)
{
	static struct patient p;

	make_patient(&p);
	p.page->version++;
	T_EQ(as_control_find(p.proc_fd, getpid(), &p.found, p.buf, sizeof(p.buf)), -EBADMSG);
	T_OK(p.found.library && !p.found.has_page);
	p.page->version--;
	p.page->magic[0] = 'X';
	T_EQ(as_control_find(p.proc_fd, getpid(), &p.found, p.buf, sizeof(p.buf)), -EBADMSG);
}

TEST(texts_that_are_not_terminated_end_at_their_field)
{
	static struct patient p;

	make_page(&p);
	memset(p.page->name, 'n', sizeof(p.page->name));
	memset(p.page->feed, 'f', sizeof(p.page->feed));
	p.proc_fd = as_proc_open(0);
	T_EQ(as_control_find(p.proc_fd, getpid(), &p.found, p.buf, sizeof(p.buf)), 0);
	T_EQ(strlen(p.found.page.name), sizeof(p.page->name) - 1);
	T_EQ(strlen(p.found.page.feed), sizeof(p.page->feed) - 1);
}

TEST(asking_rings_the_bell_and_is_answered)
{
	static struct patient p;
	struct as_control_link link;
	uint32_t ticket;
	char c;

	make_patient(&p);
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), 0);
	T_OK(link.page != p.page);
	T_EQ(as_control_ask(&link, 5, 123, &ticket), 0);
	T_EQ(read(p.bell[0], &c, 1), 1);
	T_EQ(p.page->asked, ticket);
	T_EQ(p.page->family, 5);
	T_EQ(p.page->asker, 123);
	T_EQ(as_control_wait(&link, ticket, as_sys_clock_ns(CLOCK_MONOTONIC) + 1000000), -ETIMEDOUT);
	p.page->answered = ticket;
	T_EQ(as_control_wait(&link, ticket, 0), 0);
	as_control_close(&link);
}

TEST(a_second_question_joins_the_first_ones_family)
{
	static struct patient p;
	struct as_control_link link;
	uint32_t first, second;

	make_patient(&p);
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), 0);
	T_EQ(as_control_ask(&link, 5, 1, &first), 0);
	T_EQ(as_control_ask(&link, 6, 2, &second), 0);
	T_EQ(second, first + 1);
	T_EQ(p.page->family, 5);
	T_EQ(p.page->asker, 1);
	as_control_close(&link);
}

TEST(a_bell_that_is_full_rings_already)
{
	static struct patient p;
	struct as_control_link link;
	uint32_t ticket;
	static const char many[4096];

	make_patient(&p);
	while (write(p.bell[1], many, sizeof(many)) > 0)
		;
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), 0);
	T_EQ(as_control_ask(&link, 5, 1, &ticket), 0);
	T_EQ(p.page->asked, ticket);
}

TEST(a_dumper_that_has_gone_or_changed_is_not_asked)
{
	static struct patient p;
	struct as_control_link link;

	make_patient(&p);
	p.found.page.image++;
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), -ESTALE);
	p.found.page.image--;
	p.page->dumper = 0;
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), -ESTALE);
	p.found.page.dumper = 4194303; /* no such thread */
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), -ESTALE);
	p.found.page.dumper = 0;
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), -ENOENT);
}

TEST(a_page_that_was_cut_short_is_not_mapped)
{
	static struct patient p;
	struct as_control_link link;

	make_patient(&p);
	T_EQ(ftruncate(p.page_fd, 100), 0);
	T_EQ(as_control_open(p.proc_fd, &p.found, &link), -ESTALE);
}
