#include "policy/listed.h"

#include "policy/lists.h"
#include "policy/policy.h"

/* domain is signer or below it. */
static bool belongs(struct slice domain, struct slice signer)
{
	return slice_eq_nocase(domain, signer) ||
	       (domain.len > signer.len + 1 && slice_ends_nocase(domain, signer) &&
		domain.data[domain.len - signer.len - 1] == '.');
}

static bool spf_vouches(const struct facts *f)
{
	return f->spf.result == AUTH_PASS && !f->spf.helo;
}

static bool is_vouched_for(const struct facts *f, struct slice domain)
{
	if (f == NULL || domain.len == 0)
		return false;
	if (spf_vouches(f) && slice_eq_nocase(f->spf.domain, domain))
		return true;
	for (size_t i = 0; f->dkim_known && i < f->dkim_count; i++)
		if (f->dkim[i].result == AUTH_PASS && f->dkim[i].domain.len > 0 &&
		    belongs(domain, f->dkim[i].domain))
			return true;
	return false;
}

static bool proven_domain(const struct facts *f, const struct list *list, struct slice *entry_r)
{
	if (f == NULL)
		return false;
	if (spf_vouches(f) && list_has_domain(list, f->spf.domain, entry_r))
		return true;
	for (size_t i = 0; f->dkim_known && i < f->dkim_count; i++)
		if (f->dkim[i].result == AUTH_PASS && list_has_domain(list, f->dkim[i].domain, entry_r))
			return true;
	return false;
}

static bool allows(const struct verdict_input *in, const struct list *list, struct slice *entry_r)
{
	const struct mailbox *sender = &in->envelope->sender;
	return list_has_client(list, &in->client->ip, entry_r) || proven_domain(in->facts, list, entry_r) ||
	       (is_vouched_for(in->facts, sender->domain) && list_has_sender(list, sender, entry_r));
}

static bool denies(const struct verdict_input *in, const struct list *list, struct slice *entry_r)
{
	const struct mailbox *sender = &in->envelope->sender;
	return list_has_client(list, &in->client->ip, entry_r) || list_has_domain(list, sender->domain, entry_r) ||
	       list_has_sender(list, sender, entry_r) ||
	       (in->facts != NULL && list_has_domain(list, in->facts->author.domain, entry_r));
}

static bool counts(const struct verdict_input *in, const struct config_list *list)
{
	return !list->shadow || in->with_lists;
}

struct listed listed_in(const struct verdict_input *in, const struct config_policy *policy)
{
	struct listed l = { 0 };
	const struct policy_made *made = policy->made;
	for (size_t i = 0; made != NULL && made->allow[i] != NULL; i++)
		if (counts(in, made->allow[i]) && allows(in, made->allow[i]->loaded, &l.entry)) {
			l.allowed = true;
			l.list = made->allow[i]->title;
			return l;
		}
	for (size_t i = 0; made != NULL && made->deny[i] != NULL; i++)
		if (counts(in, made->deny[i]) && denies(in, made->deny[i]->loaded, &l.entry)) {
			l.denied = true;
			l.list = made->deny[i]->title;
			return l;
		}
	return l;
}
