#include "message/hit.h"

#include <stdio.h>

#define EVIDENCE_MAX 256u

static const char *const action_names[ACTIONS] = {
	[ACTION_NONE] = "none", [ACTION_ACCEPT] = "accept", [ACTION_TAG] = "tag",
	[ACTION_GREYLIST] = "greylist", [ACTION_REDIRECT] = "redirect", [ACTION_QUARANTINE] = "quarantine",
	[ACTION_DEFER] = "defer", [ACTION_REJECT] = "reject", [ACTION_DISCARD] = "discard",
};

const char *action_name(enum action action)
{
	return action < ACTIONS ? action_names[action] : "?";
}

/* Octets of the well-formed UTF-8 character at s (RFC 3629), or 0. */
static size_t utf8_len(struct slice s)
{
	unsigned char c = (unsigned char)s.data[0];
	size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 :
		     c >= 0xf0 && c < 0xf5 ? 4 : 0;
	if (len == 0 || len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (((unsigned char)s.data[i] & 0xc0) != 0x80)
			return 0;
	unsigned char second = len > 2 ? (unsigned char)s.data[1] : 0;
	bool bad = (c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) ||
		   (c == 0xf0 && second < 0x90) || (c == 0xf4 && second >= 0x90);
	return bad ? 0 : len;
}

static struct slice printable(struct arena *arena, struct slice s)
{
	char *out = arena_alloc(arena, EVIDENCE_MAX + 8);
	size_t len = 0;
	for (size_t i = 0; i < s.len && len < EVIDENCE_MAX;) {
		size_t n = utf8_len(slice_from(s, i));
		unsigned char c = (unsigned char)s.data[i];
		if (n == 0 || c < ' ' || c == 0x7f) {
			len += (size_t)sprintf(out + len, "\\x%02x", c);
			i++;
		} else if (len + n > EVIDENCE_MAX) {
			break;
		} else {
			memcpy(out + len, s.data + i, n);
			len += n;
			i += n;
		}
	}
	out[len] = '\0';
	return slice_make(out, len);
}

struct hit *hits_add(struct hits *hits, const struct hit *hit)
{
	if (hits->count == hits->cap) {
		size_t cap = hits->cap ? hits->cap * 2 : 16;
		struct hit *list = arena_array(hits->arena, struct hit, cap);
		if (hits->count > 0)
			memcpy(list, hits->list, hits->count * sizeof(*list));
		hits->list = list;
		hits->cap = cap;
	}
	struct hit *h = &hits->list[hits->count++];
	*h = *hit;
	h->evidence = hit->evidence.len ? printable(hits->arena, hit->evidence) : SLICE_EMPTY;
	return h;
}

const struct hit *hits_find(const struct hits *hits, const char *symbol)
{
	for (size_t i = 0; i < hits->count; i++)
		if (strcmp(hits->list[i].symbol, symbol) == 0)
			return &hits->list[i];
	return NULL;
}
