#include "lib/stack/sym_priv.h"

#include <stdlib.h>
#include <string.h>

#include "tests/t.h"

static char buf[SYM_NAME];

static const char *rust(const char *raw)
{
	return sym_rust(raw, buf, sizeof(buf)) ? buf : "(refused)";
}

TEST(paths_are_written_with_colons)
{
	T_STR(rust("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
	T_STR(rust("_RNvNtCs1234_7mycrate6module3foo"), "mycrate::module::foo");
	T_STR(rust("_RNvC6_123foo3bar"), "123foo::bar");
}

TEST(closures_are_numbered)
{
	T_STR(rust("_RNCNvCs1234_7mycrate3foo0"), "mycrate::foo::{closure#0}");
	T_STR(rust("_RNCNvCs1234_7mycrate3foos_0"), "mycrate::foo::{closure#1}");
	T_STR(rust("_RNSNvCs1234_7mycrate3foo6vtable"), "mycrate::foo::{shim:vtable#0}");
}

TEST(impls_are_named_by_their_type)
{
	T_STR(rust("_RNvMs_Cs1234_7mycrateNtB4_3Foo3bar"), "<mycrate::Foo>::bar");
	T_STR(rust("_RNvXCs1234_7mycrateNtB2_3FooNtB2_3Bar3baz"),
	      "<mycrate::Foo as mycrate::Bar>::baz");
	T_STR(rust("_RNvYNtC7mycrate3FooNtC7mycrate3Bar3baz"), "<mycrate::Foo as mycrate::Bar>::baz");
}

TEST(generic_arguments_and_types_are_written_out)
{
	T_STR(rust("_RINvCs1234_7mycrate3foolE"), "mycrate::foo::<i32>");
	T_STR(rust("_RINvCs1234_7mycrate3fooRShAmj4_TlyEE"),
	      "mycrate::foo::<&[u8], [u32; 4], (i32, u64)>");
	T_STR(rust("_RINvC1c1fFUKCPhQeEuE"), "c::f::<unsafe extern \"C\" fn(*const u8, &mut str)>");
	T_STR(rust("_RINvC1c1fDNtC1c1TEL_E"), "c::f::<dyn c::T>");
	T_STR(rust("_RINvC1c1fKb1_Klnc_E"), "c::f::<true, -12>");
	T_STR(rust("_RINvC1c1fTlEE"), "c::f::<(i32,)>");
}

TEST(the_crate_that_instantiated_it_is_left_out)
{
	T_STR(rust("_RINvCs1234_7mycrate3foolECs5678_5other"), "mycrate::foo::<i32>");
}

TEST(names_that_are_not_in_the_scheme_are_refused)
{
	T_STR(rust("_R"), "(refused)");
	T_STR(rust("_ZN3foo3barEv"), "(refused)");
	T_STR(rust("_RNvC7mycr"), "(refused)");
	T_STR(rust("_RNvC3foo3barx"), "(refused)");
	T_STR(rust("_RB_"), "(refused)");         /* refers to itself */
	T_STR(rust("_RNvB9_3foo"), "(refused)");  /* refers forward */
	T_STR(rust("_RNvC99999999999999999999foo3bar"), "(refused)");
	T_STR(rust("_RINvC1c1fKlg_E"), "(refused)");
}

TEST(references_that_multiply_end)
{
	/* each tuple holds the one before it twice: 2^20 types if nobody counted */
	char raw[2000] = "_RINvC1c1f", part[40];
	size_t last = strlen(raw) - 2;

	strcat(raw, "TllE");
	for (int i = 0; i < 20; i++) {
		const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
		const size_t n = last - 1;
		char number[4] = "";
		if (n >= 62)
			snprintf(number, sizeof(number), "%c%c", digits[n / 62], digits[n % 62]);
		else
			snprintf(number, sizeof(number), "%c", digits[n]);
		last = strlen(raw) - 2;
		snprintf(part, sizeof(part), "TB%s_B%s_E", number, number);
		strcat(raw, part);
	}
	strcat(raw, "E");
	T_STR(rust(raw), "(refused)");
}

TEST(nothing_is_written_beyond_the_room)
{
	static const char raw[] = "_RINvCs1234_7mycrate3fooRShAmj4_TlyEE";

	T_OK(sym_rust(raw, buf, sizeof(buf)));
	const size_t n = strlen(buf);
	for (size_t room = 1; room <= n + 1; room++) {
		memset(buf, 0x55, sizeof(buf));
		T_EQ(sym_rust(raw, buf, room), room == n + 1);
		T_EQ(buf[room], 0x55);
	}
}

TEST(damaged_names_are_survived)
{
	static const char raw[] = "_RINvMs_Cs1234_7mycrateNtB4_3Foo3barRShAmj4_TlyEFUKCPhQeEuDNtC1c1TEL_E";
	char copy[sizeof(raw)];

	srand((unsigned)t_seed());
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, raw, sizeof(raw));
		for (int k = rand() % 4; k >= 0; k--)
			copy[2 + (size_t)rand() % (sizeof(raw) - 3)] = raw[2 + (size_t)rand() % (sizeof(raw) - 3)];
		copy[2 + (size_t)rand() % (sizeof(raw) - 2)] = '\0';
		if (sym_rust(copy, buf, sizeof(buf)))
			T_OK(strlen(buf) < sizeof(buf));
	}
}
