/* Tag lists of signatures, seals and key records, and all that is read out of
 * them. The first octet says which. */
#include <stdlib.h>

#include "filters/dkim_key.h"
#include "message/taglist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct slice text)
{
	struct taglist list;
	enum taglist_error error = taglist_parse(text, &list);
	if (taglist_error_text(error) == NULL || (error == TAGLIST_OK && list.count == 0))
		abort();
	for (size_t i = 0; i < list.count; i++) {
		const struct tag *t = &list.tags[i];
		if (t->name.len == 0 || t->name.data < text.data || t->value.data > text.data + text.len)
			abort();
		for (size_t j = 0; j < i; j++)
			if (slice_eq(list.tags[j].name, t->name))
				abort();
	}
}

/* What goes to DNS is made of letters, digits, "-", "_" and dots. */
static void check_query(const struct dkim_signature *sig)
{
	for (size_t i = 0; i < sig->query.len; i++) {
		char c = sig->query.data[i];
		if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
			abort();
	}
	if (!dns_name_ok(sig->query) || sig->signature.len == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct arena *arena = arena_create();
	struct slice text = slice_make(data + 1, size - 1), out;
	struct header header = { .field = text, .value = text };
	const struct dkim_policy policy = { .now = 1600000000, .drift = 300, .sha1 = data[0] & 16,
		.min_key_bits = 512 };
	struct dkim_signature sig;
	check_list(text);
	dkim_signature_parse(arena, &header, (enum dkim_kind)(data[0] % 3), &policy, &sig);
	if (sig.result == AUTH_UNKNOWN)
		check_query(&sig);
	else if (sig.reason == NULL)
		abort();
	struct dkim_signature plain = { .key_type = data[0] & 8 ? DKIM_ED25519 : DKIM_RSA,
					.identity = SLICE("@a.example"), .domain = SLICE("example") };
	struct buf rdata = { 0 };
	for (size_t at = 0; at < text.len; at += 255) {
		struct slice piece = slice_sub(text, at, 255);
		buf_add_char(&rdata, (char)piece.len);
		buf_add_slice(&rdata, piece);
	}
	struct slice record = buf_slice(&rdata);
	struct answer answer = { .status = ANSWER_FOUND, .count = 1, .records = &record };
	struct dkim_keys keys;
	dkim_keys_find(arena, &answer, &plain, &policy, &keys);
	if ((keys.count == 0) == (keys.result == AUTH_UNKNOWN))
		abort();
	taglist_base64(arena, text, &out);
	taglist_qp(arena, text, &out);
	buf_free(&rdata);
	arena_destroy(&arena);
	return 0;
}
