#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_record.h"
#include "tests/t.h"

/* A writer about this very process, and what it has written, parsed. */
static struct as_peek peek;
static struct as_record record;
static struct as_thread thread;
static char out[65536];
static int file;

static void begin(void)
{
	const char *const caps[] = { "peek", NULL };

	file = memfd_create("records", 0);
	T_OK(file >= 0);
	T_EQ(as_peek_init(&peek, 0), 0);
	T_EQ(as_peek_refresh(&peek), 0);
	as_record_init(&record, out, sizeof(out), file);
	as_record_feed(&record, &(struct as_record_about){ .proc_fd = peek.proc_fd,
							   .pid = getpid(),
							   .image = 1,
							   .caps = caps });
	as_record_dump(&record, &peek, 0xabc, "control", 7, "patient");
}

/* A thread with `n` frames at addresses in this program, the first of them `shift` bytes on. */
static void frames(unsigned n, uint64_t shift)
{
	memset(&thread, 0, sizeof(thread));
	thread.tid = 42;
	thread.state = 'S';
	thread.nr = -1;
	thread.frames = n;
	for (unsigned i = 0; i < n; i++)
		thread.frame[i] = (uint64_t)(uintptr_t)begin + 1 + i;
	thread.frame[0] += shift;
	thread.flags[0] = AS_FRAME_EXACT;
}

static void tell(void)
{
	as_record_thread(&record, &peek, &thread, &(struct as_record_how){ .captured = "peek" });
}

static json_t *lines(void)
{
	json_t *array = json_array(), *one;
	FILE *f;

	as_record_done(&record, &(struct as_record_done){ .threads = 1 });
	f = fdopen(dup(file), "r");
	rewind(f);
	while ((one = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)))
		json_array_append_new(array, one);
	fclose(f);
	return array;
}

static size_t count(json_t *array, const char *type)
{
	size_t i, n = 0;
	json_t *one;

	json_array_foreach(array, i, one)
		n += strcmp(json_string_value(json_object_get(one, "t")), type) == 0;
	return n;
}

static json_t *last(json_t *array, const char *type)
{
	for (size_t i = json_array_size(array); i-- > 0;) {
		json_t *one = json_array_get(array, i);
		if (strcmp(json_string_value(json_object_get(one, "t")), type) == 0)
			return one;
	}
	T_FAIL("no record of type %s", type);
}

TEST(a_stack_is_written_once_and_its_module_before_it)
{
	begin();
	frames(3, 0);
	tell();
	tell();
	json_t *l = lines();
	T_EQ(count(l, "stack"), 1);
	T_EQ(count(l, "module"), 1);
	T_EQ(count(l, "thread"), 2);
	T_STR(json_string_value(json_object_get(json_array_get(l, 2), "t")), "module");
	T_STR(json_string_value(json_object_get(json_array_get(l, 3), "t")), "stack");
	T_EQ(json_integer_value(json_object_get(last(l, "thread"), "stack")), 0);
}

TEST(another_place_or_another_end_is_another_stack)
{
	begin();
	frames(3, 0);
	tell();
	frames(3, 1);
	tell();
	frames(3, 0);
	thread.end = AS_END_NO_CFI;
	tell();
	json_t *l = lines();
	T_EQ(count(l, "stack"), 3);
	T_EQ(json_integer_value(json_object_get(last(l, "thread"), "stack")), 2);
}

TEST(a_frame_is_its_module_and_the_offset_in_it)
{
	begin();
	frames(2, 0);
	thread.frame[1] = 0x1234; /* in no module */
	tell();
	json_t *f = json_object_get(last(lines(), "stack"), "frames");
	T_EQ(json_integer_value(json_array_get(json_array_get(f, 0), 0)), 0);
	T_STR(json_string_value(json_array_get(json_array_get(f, 0), 2)), "x");
	T_EQ(json_integer_value(json_array_get(json_array_get(f, 1), 0)), -1);
	T_STR(json_string_value(json_array_get(json_array_get(f, 1), 1)), "0x1234");
	T_EQ(json_array_size(json_array_get(f, 1)), 2);
}

TEST(a_new_file_repeats_what_it_refers_to_under_new_numbers)
{
	begin();
	frames(3, 0);
	tell();
	as_record_feed(&record, &(struct as_record_about){ .proc_fd = peek.proc_fd,
							   .pid = getpid(),
							   .image = 1,
							   .segment = 1 });
	tell();
	json_t *l = lines();
	T_EQ(count(l, "feed"), 2);
	T_EQ(count(l, "stack"), 2);
	T_EQ(count(l, "module"), 2);
	T_EQ(json_integer_value(json_object_get(last(l, "stack"), "s")), 1);
	T_EQ(json_integer_value(json_object_get(last(l, "module"), "m")), 1);
}

TEST(a_dictionary_that_is_full_forgets_and_every_thread_still_has_its_stack)
{
	begin();
	for (unsigned i = 0; i < 2 * AS_RECORD_STACKS; i++) {
		frames(1, 0);
		thread.frame[0] = 0x1000 + i;
		tell();
	}
	frames(1, 0);
	thread.frame[0] = 0x1000; /* forgotten by now */
	tell();
	json_t *l = lines();
	T_EQ(count(l, "stack"), 2 * AS_RECORD_STACKS + 1);
	T_EQ(json_integer_value(json_object_get(last(l, "thread"), "stack")), 2 * AS_RECORD_STACKS);
}

TEST(a_thread_without_a_stack_says_why)
{
	begin();
	frames(0, 0);
	as_record_thread(&record, &peek, &thread,
			 &(struct as_record_how){ .captured = "proc", .reason = "because" });
	json_t *t = last(lines(), "thread");
	T_OK(json_is_null(json_object_get(t, "stack")));
	T_STR(json_string_value(json_object_get(t, "reason")), "because");
	T_EQ(json_array_size(json_object_get(t, "args")), 6);
}

TEST(a_dump_counts_and_says_who_asked)
{
	begin();
	as_record_dump(&record, &peek, 0x1, "signal", 0, NULL);
	json_t *l = lines(), *d = last(l, "dump");
	T_EQ(json_integer_value(json_object_get(d, "d")), 2);
	T_OK(json_is_null(json_object_get(d, "sender")));
	T_OK(json_is_null(json_object_get(d, "name")));
	T_STR(json_string_value(json_object_get(json_array_get(l, 1), "name")), "patient");
	T_EQ(json_integer_value(json_object_get(last(l, "done"), "d")), 2);
}
