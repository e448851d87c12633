#include "base/idn.h"

#include <idn2.h>

#define MAX_DOMAIN 253 /* RFC 1035 2.3.4, as text without the final dot */
#define MAX_LABEL 63

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

static bool good_label(struct slice label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-' && label.data[i] != '_')
			return false;
	return label.len > 0 && label.len <= MAX_LABEL && label.data[0] != '-' &&
	       label.data[label.len - 1] != '-';
}

static bool good_name(struct slice name)
{
	struct slice label, rest = name;
	if (name.len == 0 || name.len > MAX_DOMAIN)
		return false;
	while (slice_split(&rest, '.', &label))
		if (!good_label(label))
			return false;
	return true;
}

static bool to_ascii(struct arena *arena, struct slice name, struct slice *ascii_r)
{
	char *out = NULL;
	if (slice_chr(name, '\0') != SLICE_NPOS || name.len > 4 * MAX_DOMAIN)
		return false;
	int rc = idn2_to_ascii_8z(arena_str(arena, name), &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc == IDN2_OK)
		*ascii_r = arena_copy(arena, slice_str(out));
	idn2_free(out);
	return rc == IDN2_OK;
}

bool idn_domain(struct arena *arena, struct slice name, struct slice *domain_r)
{
	if (!is_ascii(name) && !to_ascii(arena, name, &name))
		return false;
	if (slice_ends(name, SLICE(".")))
		name.len--;
	if (!good_name(name))
		return false;
	*domain_r = arena_lower(arena, name);
	return true;
}
