#include "base/wire_name.h"

#include <stdio.h>

/* One character of text at *i, escapes resolved. False: a broken escape. */
static bool read_char(struct slice text, size_t *i, uint8_t *c_r)
{
	if (text.data[*i] != '\\') {
		*c_r = (uint8_t)text.data[(*i)++];
		return true;
	}
	uint64_t code;
	if (*i + 1 >= text.len)
		return false;
	if (!ascii_is_digit(text.data[*i + 1])) {
		*c_r = (uint8_t)text.data[*i + 1];
		*i += 2;
		return true;
	}
	if (text.len - *i < 4 || !slice_u64(slice_sub(text, *i + 1, 3), 255, &code))
		return false;
	*c_r = (uint8_t)code;
	*i += 4;
	return true;
}

/* The label at *i into out behind its length. Returns its octets, 0: none or too long. */
static size_t read_label(struct slice text, size_t *i, uint8_t *out)
{
	size_t octets = 0;
	uint8_t c;
	while (*i < text.len && text.data[*i] != '.') {
		if (octets == WIRE_LABEL_MAX || !read_char(text, i, &c))
			return 0;
		out[1 + octets++] = c;
	}
	out[0] = (uint8_t)octets;
	return octets;
}

size_t wire_name_from_text(struct slice text, struct slice origin, uint8_t out[WIRE_NAME_MAX])
{
	uint8_t label[WIRE_LABEL_MAX + 1];
	size_t len = 0, i = 0;
	bool absolute = slice_eq(text, SLICE("."));
	if (text.len == 0)
		return 0;
	while (!absolute && i < text.len) {
		size_t octets = read_label(text, &i, label);
		if (octets == 0 || len + octets + 2 > WIRE_NAME_MAX)
			return 0;
		memcpy(out + len, label, octets + 1);
		len += octets + 1;
		if (i < text.len)
			absolute = ++i == text.len; /* past the dot */
	}
	if (absolute || origin.len == 0)
		origin = slice_make("", 1);
	if (len + origin.len > WIRE_NAME_MAX)
		return 0;
	memcpy(out + len, origin.data, origin.len);
	return len + origin.len;
}

static char *add_char(char *p, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f)
		return p + sprintf(p, "\\%03u", c);
	if (strchr(".\\\"();@$", c) != NULL)
		*p++ = '\\';
	*p++ = (char)c;
	return p;
}

const char *wire_name_text(struct slice name, char out[WIRE_NAME_TEXT_MAX])
{
	char *p = out;
	size_t i = 0;
	while (i < name.len && name.data[i] != 0) {
		size_t octets = (uint8_t)name.data[i++];
		if (p != out)
			*p++ = '.';
		for (; octets > 0 && i < name.len; octets--)
			p = add_char(p, (uint8_t)name.data[i++]);
	}
	if (p == out)
		*p++ = '.';
	*p = '\0';
	return out;
}

size_t wire_name_len(struct slice data)
{
	size_t i = 0;
	while (i < data.len && i < WIRE_NAME_MAX) {
		uint8_t octets = (uint8_t)data.data[i++];
		if (octets == 0)
			return i;
		if (octets > WIRE_LABEL_MAX)
			return 0;
		i += octets;
	}
	return 0;
}

#define POINTER_BITS 0xc0u /* RFC 1035 4.1.4 */
#define POINTERS_MAX 128 /* a name has no more labels */

size_t wire_name_unpack(struct slice packet, size_t offset, uint8_t out[WIRE_NAME_MAX], size_t *end_r)
{
	const uint8_t *p = (const uint8_t *)packet.data;
	size_t len = 0, limit = offset; /* a pointer must point below where its part began */
	int pointers = 0;
	while (offset < packet.len) {
		uint8_t octets = p[offset];
		if ((octets & POINTER_BITS) == POINTER_BITS) {
			if (packet.len - offset < 2)
				return 0;
			size_t target = (size_t)(octets & ~POINTER_BITS) << 8 | p[offset + 1];
			if (pointers++ == 0)
				*end_r = offset + 2;
			if (target >= limit || pointers > POINTERS_MAX)
				return 0;
			limit = offset = target;
			continue;
		}
		if (octets > WIRE_LABEL_MAX || packet.len - offset < octets + 1u ||
		    len + octets + 1 > WIRE_NAME_MAX)
			return 0;
		memcpy(out + len, p + offset, octets + 1u);
		len += octets + 1u;
		offset += octets + 1u;
		if (octets == 0) {
			if (pointers == 0)
				*end_r = offset;
			return len;
		}
	}
	return 0;
}

struct slice wire_name_parent(struct slice name)
{
	if (name.len <= 1)
		return SLICE_EMPTY;
	return slice_from(name, (size_t)(uint8_t)name.data[0] + 1);
}

void wire_name_lower(uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		name[i] = (uint8_t)ascii_lower((char)name[i]);
}
