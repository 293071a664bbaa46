#include "lib/state/names.h"

#include "lib/hub/hub_format.h"
#include "tests/t.h"

TEST(each_name_is_found_again_by_its_number)
{
	static const struct names *const all[] = {
		&names_peer_state, &names_beat,       &names_kind, &names_slot_state,
		&names_call_state, &names_ring, &names_direction,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned n = 0; n < all[i]->n; n++)
			if (all[i]->name[n])
				T_EQ(names_find(all[i], names_of(all[i], n)), n);
}

TEST(every_number_of_the_format_has_its_name)
{
	T_EQ(names_peer_state.n, HUB_PEER_QUARANTINED + 1);
	T_EQ(names_kind.n, HUB_KIND_LEAVE + 1);
	T_EQ(names_slot_state.n, HUB_SLOT_STATES);
	T_EQ(names_call_state.n, HUB_CALL_CANCELLED + 1);
	T_STR(names_of(&names_slot_state, HUB_SLOT_IN_FLIGHT), "in_flight");
	T_STR(names_of(&names_ring, HUB_SEND), "send");
}

TEST(what_has_no_name_or_number_is_told_as_that)
{
	T_STR(names_of(&names_kind, HUB_KIND_NONE), "?");
	T_STR(names_of(&names_kind, 99), "?");
	T_EQ(names_find(&names_kind, "?"), -1);
	T_EQ(names_find(&names_kind, NULL), -1);
	T_EQ(names_find(&names_beat, "dozing"), -1);
}
