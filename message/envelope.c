#include "message/envelope.h"

void client_copy(struct client *to, const struct client *from, struct arena *arena)
{
	*to = *from;
	to->name = arena_copy(arena, from->name);
	to->reverse_name = arena_copy(arena, from->reverse_name);
	to->ident = arena_copy(arena, from->ident);
	to->helo = arena_copy(arena, from->helo);
	to->login = arena_copy(arena, from->login);
	to->auth_mechanism = arena_copy(arena, from->auth_mechanism);
	to->tls_version = arena_copy(arena, from->tls_version);
	to->tls_cipher = arena_copy(arena, from->tls_cipher);
	to->tls_fingerprint = arena_copy(arena, from->tls_fingerprint);
}

void mailbox_copy(struct mailbox *to, const struct mailbox *from, struct arena *arena)
{
	*to = *from;
	to->text = arena_copy(arena, from->text);
	to->local = arena_copy(arena, from->local);
	to->domain = arena_copy(arena, from->domain);
}

struct recipient *envelope_add(struct envelope *e, const struct recipient *r, struct arena *arena)
{
	if (e->recipient_count == e->recipient_cap) {
		size_t cap = e->recipient_cap ? e->recipient_cap * 2 : 4;
		struct recipient *list = arena_array(arena, struct recipient, cap);
		if (e->recipient_count > 0)
			memcpy(list, e->recipients, e->recipient_count * sizeof(*list));
		e->recipients = list;
		e->recipient_cap = cap;
	}
	struct recipient *to = &e->recipients[e->recipient_count++];
	*to = (struct recipient){ .accepted = false };
	mailbox_copy(&to->mailbox, &r->mailbox, arena);
	to->params = arena_copy(arena, r->params);
	return to;
}
