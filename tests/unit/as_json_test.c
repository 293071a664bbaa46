#include "lib/as/as_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/t.h"

static char buf[4096];
static size_t written; /* bytes of buf that read_back() filled */

static json_t *parse(const char *text, size_t n)
{
	json_error_t err;
	json_t *root = json_loadb(text, n, 0, &err);

	if (!root)
		T_FAIL("%s at %d: %.*s", err.text, err.position, (int)n, text);
	return root;
}

/* The text of the record {"s": TEXT} as jansson reads it back. */
static const char *read_back(const void *text, size_t len)
{
	struct as_json j;

	as_json_init(&j, buf, sizeof(buf), -1);
	as_json_record(&j);
	as_json_mem(&j, "s", text, len);
	as_json_end_record(&j);
	T_EQ(j.lost, 0);
	written = j.len;
	return json_string_value(json_object_get(parse(buf, j.len), "s"));
}

TEST(nested_values_read_back_as_they_were_written)
{
	struct as_json j;

	as_json_init(&j, buf, sizeof(buf), -1);
	as_json_record(&j);
	as_json_u64(&j, "v", 1);
	as_json_str(&j, "t", "thread");
	as_json_arr(&j, "frames");
	as_json_hex(&j, NULL, 0x7f0012345678);
	as_json_obj(&j, NULL);
	as_json_bool(&j, "guessed", true);
	as_json_end(&j);
	as_json_arr(&j, NULL);
	as_json_end(&j);
	as_json_end(&j);
	as_json_null(&j, "bell");
	as_json_str(&j, "name", NULL);
	as_json_i64(&j, "nr", -1);
	as_json_obj(&j, "empty");
	as_json_end_record(&j);
	buf[j.len] = '\0';
	T_STR(buf, "{\"v\":1,\"t\":\"thread\",\"frames\":[\"0x7f0012345678\",{\"guessed\":true},[]],"
		   "\"bell\":null,\"name\":null,\"nr\":-1,\"empty\":{}}\n");
	parse(buf, j.len);
	T_EQ(j.records, 1);
}

TEST(a_number_that_a_reader_would_round_becomes_a_hex_string)
{
	struct as_json j;

	as_json_init(&j, buf, sizeof(buf), -1);
	as_json_record(&j);
	as_json_u64(&j, "a", (UINT64_C(1) << 53) - 1);
	as_json_u64(&j, "b", UINT64_C(1) << 53);
	as_json_u64(&j, "c", UINT64_MAX);
	as_json_end_record(&j);
	json_t *root = parse(buf, j.len);

	T_EQ(json_integer_value(json_object_get(root, "a")), 9007199254740991);
	T_STR(json_string_value(json_object_get(root, "b")), "0x20000000000000");
	T_STR(json_string_value(json_object_get(root, "c")), "0xffffffffffffffff");
}

TEST(valid_utf8_goes_through_and_every_other_byte_is_escaped)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain \"quoted\" back\\slash", "plain \"quoted\" back\\slash" },
		{ "tab\tline\n\x01\x1f\x7f", "tab\tline\n\x01\x1f\x7f" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xff\xfe", "\xc3\xbf\xc3\xbe" },
		{ "cut \xe2\x82", "cut \xc3\xa2\xc2\x82" },
		{ "overlong \xc0\x80 \xe0\x80\x80", "overlong \xc3\x80\xc2\x80 \xc3\xa0\xc2\x80\xc2\x80" },
		{ "surrogate \xed\xa0\x80", "surrogate \xc3\xad\xc2\xa0\xc2\x80" },
		{ "beyond \xf4\x90\x80\x80", "beyond \xc3\xb4\xc2\x90\xc2\x80\xc2\x80" },
		{ "last \xf4\x8f\xbf\xbf\xef\xbf\xbf", "last \xf4\x8f\xbf\xbf\xef\xbf\xbf" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		T_STR(read_back(rows[i].in, strlen(rows[i].in)), rows[i].out);
	T_STR(read_back("a\0b", 3), "a\xef\xbf\xbd" "b");
	T_STR(read_back("", 0), "");
}

TEST(any_bytes_give_a_line_that_parses)
{
	char bytes[200];

	srand((unsigned)t_seed());
	for (unsigned round = 0; round < 20000 * t_length(); round++) {
		const size_t n = (size_t)rand() % sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)(rand() % 3 ? 0xc0 + rand() % 64 : rand());
		T_OK(read_back(bytes, n) != NULL);
		T_EQ((char *)memchr(buf, '\n', sizeof(buf)) - buf, written - 1);
	}
}

static void write_record(struct as_json *j, unsigned number, size_t pad)
{
	static char padding[20000];

	memset(padding, 'x', sizeof(padding));
	as_json_record(j);
	as_json_u64(j, "n", number);
	as_json_mem(j, "pad", padding, pad);
	as_json_end_record(j);
}

static size_t read_all(int fd, char *to, size_t room)
{
	const ssize_t n = pread(fd, to, room, 0);

	T_OK(n >= 0);
	return (size_t)n;
}

/* Reads the lines of fd; returns how many parse, sets *spoiled to those that do not. */
static unsigned count_good_lines(int fd, unsigned *spoiled)
{
	static char text[1 << 20];
	const size_t n = read_all(fd, text, sizeof(text) - 1);
	unsigned good = 0;

	text[n] = '\0';
	*spoiled = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (json_loads(line, 0, NULL))
			good++;
		else
			++*spoiled;
	}
	return good;
}

TEST(lines_of_any_length_reach_the_file_whole)
{
	const int fd = memfd_create("json", 0);
	unsigned spoiled;
	struct as_json j;

	as_json_init(&j, buf, AS_JSON_ROOM_MIN, fd);
	for (unsigned i = 0; i < 500; i++)
		write_record(&j, i, i * 7 % 1500);
	T_EQ(as_json_flush(&j), 0);
	T_EQ(count_good_lines(fd, &spoiled), 500);
	T_EQ(spoiled, 0);
	T_EQ(j.records, 500);
	T_EQ(j.lost, 0);
	T_EQ(j.written, lseek(fd, 0, SEEK_END));
}

TEST(a_line_that_fits_the_buffer_is_never_split_over_two_writes)
{
	int ends[2];
	char got[8192];
	struct as_json j;

	/* a packet pipe keeps the borders of writes */
	T_EQ(pipe2(ends, O_DIRECT), 0);
	as_json_init(&j, buf, sizeof(buf), ends[1]);
	for (unsigned i = 0; i < 12; i++)
		write_record(&j, i, 700);
	as_json_flush(&j);
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], got, sizeof(got))) > 0;)
		T_OK(got[0] == '{' && got[n - 1] == '\n');
}

TEST(a_full_disk_costs_the_lines_that_did_not_fit_and_no_other)
{
	const int fd = memfd_create("json", 0);
	struct rlimit limit = { 3000, RLIM_INFINITY };
	unsigned spoiled;
	struct as_json j;

	signal(SIGXFSZ, SIG_IGN);
	T_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	as_json_init(&j, buf, 1024, fd);
	for (unsigned i = 0; i < 20; i++)
		write_record(&j, i, 300);
	T_EQ(as_json_flush(&j), -EFBIG);
	T_EQ(j.error, -EFBIG);
	T_OK(j.torn);
	const uint64_t lost_before = j.lost;

	limit.rlim_cur = RLIM_INFINITY;
	T_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 20; i < 30; i++)
		write_record(&j, i, 300);
	T_EQ(as_json_flush(&j), 0);
	T_EQ(j.lost, lost_before);
	T_EQ(count_good_lines(fd, &spoiled), 30 - j.lost);
	T_EQ(spoiled, 1);
	T_EQ(j.records, 30);
	T_EQ(j.written, lseek(fd, 0, SEEK_END));
}

TEST(a_long_line_cut_by_a_full_disk_is_counted_once)
{
	const int fd = memfd_create("json", 0);
	struct rlimit limit = { 3000, RLIM_INFINITY };
	unsigned spoiled;
	struct as_json j;

	signal(SIGXFSZ, SIG_IGN);
	T_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	as_json_init(&j, buf, 1024, fd);
	write_record(&j, 1, 8000);
	T_EQ(j.lost, 1);
	limit.rlim_cur = RLIM_INFINITY;
	T_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	write_record(&j, 2, 8000);
	T_EQ(as_json_flush(&j), 0);
	T_EQ(count_good_lines(fd, &spoiled), 1);
	T_EQ(spoiled, 1);
	T_EQ(j.lost, 1);
}

TEST(in_memory_a_record_that_does_not_fit_is_taken_back_whole)
{
	struct as_json j;

	as_json_init(&j, buf, 512, -1);
	write_record(&j, 1, 100);
	const size_t len = j.len;

	write_record(&j, 2, 600);
	T_EQ(j.len, len);
	T_EQ(j.lost, 1);
	write_record(&j, 3, 10);
	T_EQ(j.lost, 1);
	T_OK(j.len > len);
	T_EQ(json_integer_value(json_object_get(parse(buf + len, j.len - len), "n")), 3);
}

TEST(nesting_without_end_loses_the_record_not_the_writer)
{
	struct as_json j;

	as_json_init(&j, buf, sizeof(buf), -1);
	as_json_record(&j);
	for (unsigned i = 0; i < 100; i++)
		as_json_arr(&j, i ? NULL : "deep");
	for (unsigned i = 0; i < 300; i++)
		as_json_end(&j);
	as_json_end_record(&j);
	T_EQ(j.lost, 1);
	T_EQ(j.len, 0);
	write_record(&j, 1, 1);
	parse(buf, j.len);
}

TEST(a_non_blocking_reader_that_is_full_is_an_error_and_not_a_wait)
{
	int ends[2];
	struct as_json j;

	T_EQ(pipe2(ends, O_NONBLOCK), 0);
	as_json_init(&j, buf, sizeof(buf), ends[1]);
	for (unsigned i = 0; i < 1000; i++)
		write_record(&j, i, 700);
	as_json_flush(&j);
	T_EQ(j.error, -EAGAIN);
	T_OK(j.lost > 500);
}
