#include "lib/stack/sym_priv.h"

#include <string.h>

#include "tests/t.h"

static char buf[SYM_NAME];

#define NAME(raw, want) T_STR(sym_name((raw), buf), (want))

TEST(a_plain_name_stays_as_it_is)
{
	static const char plain[] = "hub_poll";

	T_OK(sym_name(plain, buf) == plain);
	NAME("main", "main");
	NAME("_start", "_start");
	NAME("main.main", "main.main"); /* Go */
	NAME("@", "@");
	NAME("", "");
}

TEST(symbol_versions_are_left_out)
{
	NAME("pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait");
	NAME("realpath@GLIBC_2.2.5", "realpath");
}

TEST(parts_and_clones_have_the_name_of_their_function)
{
	NAME("cache_insert.cold", "cache_insert");
	NAME("cache_insert.part.0", "cache_insert");
	NAME("cache_insert.constprop.0.isra.0", "cache_insert");
	NAME("cache_insert.lto_priv.3", "cache_insert");
	NAME(".cold", ".cold");
}

TEST(cxx_names_are_demangled)
{
	if (strcmp(sym_name("_ZN3foo3barEv", buf), "_ZN3foo3barEv") == 0)
		t_skip("no C++ library here");
	NAME("_ZN3foo3barEv", "foo::bar()");
	NAME("_ZNSt6vectorIiSaIiEE9push_backERKi",
	     "std::vector<int, std::allocator<int> >::push_back(int const&)");
	NAME("_ZN3foo3barEv.cold", "foo::bar()");
	NAME("_Zwrong", "_Zwrong");
}

TEST(older_rust_names_lose_their_hash_and_their_signs)
{
	if (strcmp(sym_name("_ZN3foo3barEv", buf), "_ZN3foo3barEv") == 0)
		t_skip("no C++ library here");
	NAME("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
	NAME("_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h"
	     "930b740aa94f1d3aE",
	     "<Test + 'static as foo::Bar<Test>>::bar");
	NAME("_ZN4main17hzzzzzzzzzzzzzzzzE", "main::hzzzzzzzzzzzzzzzz");
}

TEST(newer_rust_names_are_demangled)
{
	NAME("_RNvC6_123foo3bar", "123foo::bar");
}

TEST(a_name_longer_than_the_room_stays_as_it_is)
{
	static char raw[SYM_NAME + 100];

	memset(raw, 'x', sizeof(raw) - 10);
	strcat(raw, ".cold");
	T_OK(sym_name(raw, buf) == raw);
	memcpy(raw, "_Z", 2);
	T_OK(sym_name(raw, buf) == raw);
}
