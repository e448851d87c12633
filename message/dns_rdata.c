/*
 * Reading and writing the little of DNS that askers need: text of TXT, names
 * in rdata, reverse names. Rdata is wire form without name compression.
 */
#include <stdio.h>

#include "base/buf.h"
#include "message/question.h"

struct slice dns_txt(struct arena *arena, struct slice rdata)
{
	char *text = arena_alloc(arena, rdata.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < rdata.len;) {
		size_t part = (unsigned char)rdata.data[i++];
		if (part > rdata.len - i)
			part = rdata.len - i;
		memcpy(text + len, rdata.data + i, part);
		len += part;
		i += part;
	}
	return slice_make(text, len);
}

/* One octet of a label, escaped where text would be read otherwise. */
static size_t put_octet(char *out, unsigned char c)
{
	if (c == '.' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c > ' ' && c < 0x7f) {
		out[0] = ascii_lower((char)c);
		return 1;
	}
	out[0] = '\\';
	out[1] = (char)('0' + c / 100);
	out[2] = (char)('0' + c / 10 % 10);
	out[3] = (char)('0' + c % 10);
	return 4;
}

#define WIRE_NAME_MAX 255u /* RFC 1035 3.1 */

struct slice dns_name(struct arena *arena, struct slice rdata, size_t offset)
{
	char *text = arena_alloc(arena, WIRE_NAME_MAX * 4 + 2);
	size_t len = 0, at = offset;
	for (;;) {
		if (at >= rdata.len || at - offset > WIRE_NAME_MAX)
			return SLICE_EMPTY;
		size_t label = (unsigned char)rdata.data[at++];
		if (label == 0)
			break;
		if (label > 63 || label > rdata.len - at || at - offset + label > WIRE_NAME_MAX)
			return SLICE_EMPTY;
		if (len > 0)
			text[len++] = '.';
		for (size_t i = 0; i < label; i++)
			len += put_octet(text + len, (unsigned char)rdata.data[at + i]);
		at += label;
	}
	if (len == 0)
		text[len++] = '.';
	text[len] = '\0';
	return slice_make(text, len);
}

unsigned dns_mx_preference(struct slice rdata)
{
	if (rdata.len < 3)
		return 65535;
	return (unsigned)(unsigned char)rdata.data[0] << 8 | (unsigned char)rdata.data[1];
}

struct slice dns_reverse_name(struct arena *arena, struct slice address, struct slice suffix)
{
	static const char hex[] = "0123456789abcdef";
	char *text = arena_alloc(arena, 16 * 4 + suffix.len + sizeof("in-addr.arpa"));
	size_t len = 0;
	for (size_t i = address.len; i-- > 0;) {
		unsigned char byte = (unsigned char)address.data[i];
		if (address.len == 4) {
			len += (size_t)sprintf(text + len, "%u.", byte);
			continue;
		}
		text[len++] = hex[byte & 15];
		text[len++] = '.';
		text[len++] = hex[byte >> 4];
		text[len++] = '.';
	}
	if (suffix.len == 0)
		suffix = address.len == 4 ? SLICE("in-addr.arpa") : SLICE("ip6.arpa");
	memcpy(text + len, suffix.data, suffix.len);
	len += suffix.len;
	text[len] = '\0';
	return slice_make(text, len);
}

static const struct {
	uint16_t type;
	const char *name;
} type_names[] = {
	{ DNS_A, "A" },     { DNS_NS, "NS" },   { DNS_CNAME, "CNAME" }, { DNS_SOA, "SOA" },   { DNS_PTR, "PTR" },
	{ DNS_MX, "MX" },   { DNS_TXT, "TXT" }, { DNS_AAAA, "AAAA" },   { DNS_SPF, "SPF" },
};

const char *dns_type_name(uint16_t type)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return "?";
}
