#include "tests/lib/arc_sealer.h"

#define FIELDS "from:to:subject"

/* A seal signs fields that its h= doesn't name: signed as a message of nothing
 * but those, each named, bottom up. The names come out the same. */
static struct slice seal_field(struct arena *arena, const struct sealing *s, const struct buf *sets)
{
	struct message m = { 0 };
	struct buf names = { 0 }, turned = { 0 };
	message_parse(&m, arena, buf_slice(sets), 1000);
	for (size_t i = 0; i < m.header_count; i++)
		buf_printf(&names, "%s%.*s", i ? ":" : "", SLICE_ARG(m.headers[i].name));
	for (size_t i = m.header_count; i-- > 0;)
		buf_add_slice(&turned, m.headers[i].field);
	struct signing sign_seal = {
		.key = s->key, .header_canon = DKIM_RELAXED, .name = "ARC-Seal", .no_body_hash = true,
		.tags = arena_printf(arena, "i=%u; a=rsa-sha256; t=12345; cv=%s; d=%s; s=%s", s->instance, s->cv,
				     s->domain, s->selector).data,
		.fields = buf_cstr(&names),
	};
	struct slice field = sign(arena, &sign_seal, buf_slice(&turned), SLICE_EMPTY);
	buf_free(&names);
	buf_free(&turned);
	return field;
}

struct slice seal(struct arena *arena, const struct sealing *s, struct slice head, struct slice body,
		  struct buf *sets)
{
	struct signing sign_message = {
		.key = s->key, .header_canon = DKIM_RELAXED, .body_canon = DKIM_RELAXED,
		.name = "ARC-Message-Signature", .fields = FIELDS,
		.tags = arena_printf(arena, "i=%u; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=%s; h=" FIELDS "%s",
				     s->instance, s->domain, s->selector, s->ams_tags ? s->ams_tags : "").data,
	};
	const char *c = s->comment ? s->comment : "";
	struct slice aar = arena_printf(arena, "ARC-Authentication-Results: %si%s=%s%u%s; %s\r\n", c, c, c, s->instance,
					c, s->authres);
	struct slice ams = sign(arena, &sign_message, head, body);
	buf_add_slice(sets, aar);
	buf_add_slice(sets, ams);
	struct slice as = seal_field(arena, s, sets);
	buf_add_slice(sets, as);
	return arena_printf(arena, "%.*s%.*s%.*s%.*s", SLICE_ARG(as), SLICE_ARG(ams), SLICE_ARG(aar), SLICE_ARG(head));
}
