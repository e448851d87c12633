#include "filters/forged_from.h"

#include <stddef.h>

#include "filters/author.h"
#include "filters/forged.h"

static const struct setting_value consequences[] = {
	{ "score", FORGED_SCORE },
	{ "quarantine", FORGED_QUARANTINE },
	{ "reject", FORGED_REJECT },
	{ NULL, 0 },
};

#define AT(member) offsetof(struct forged_settings, member)
static const struct setting settings[] = {
	{ .name = "ambiguous", .type = SETTING_ENUM, .offset = AT(ambiguous), .fallback = "reject",
	  .values = consequences,
	  .help = "several From fields, authors of several domains, a From that mail readers read in "
		  "different ways: reject (550 5.7.1), quarantine or score" },
	{ .name = "missing", .type = SETTING_ENUM, .offset = AT(missing), .fallback = "score",
	  .values = consequences, .help = "no From field, or no address in it" },
	{ .name = "lookalike", .type = SETTING_ENUM, .offset = AT(lookalike), .fallback = "score",
	  .values = consequences, .help = "an author domain that looks like one of ours or a protected one" },
	{ .name = "ours-from-outside", .type = SETTING_ENUM, .offset = AT(ours_outside), .fallback = "score",
	  .values = consequences,
	  .help = "one of relay.domains as author domain from outside, neither logged in nor authenticated" },
	{ .name = "protected", .type = SETTING_DOMAINS, .offset = AT(protected_domains),
	  .help = "domains, beside our own, that no display name may hold which isn't theirs, and whose "
		  "look-alikes are looked for" },
	{ .name = "names", .type = SETTING_STRINGS, .offset = AT(names),
	  .help = "display names of brands or people, and the domains they write from: "
		  "\"PayPal: paypal.com paypal.de\"" },
	{ .name = "text", .type = SETTING_STRING, .offset = AT(text), .fallback = "From is not acceptable",
	  .help = "of a refusal; what is wrong follows it" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "FROM_MISSING", 2.0, "There is no From field" },
	{ "FROM_NO_ADDRESS", 2.0, "From holds no address that could be one" },
	{ "FROM_SEVERAL", 5.0, "There are several From fields" },
	{ "FROM_DOMAINS", 4.0, "From holds mailboxes of several domains" },
	{ "FROM_AMBIGUOUS", 4.0, "Mail readers may show different authors for this From" },
	{ "FROM_STRAY_NAME", 2.0, "From has an entry without an address beside the author" },
	{ "FROM_MALFORMED", 0.5, "From is not written as it should be" },
	{ "FROM_ODD_FIELD", 3.0, "The name of the From field is not followed by its colon" },
	{ "FROM_CONTROL", 4.0, "Control characters in From" },
	{ "FROM_BIDI", 2.0, "Characters in From that change the direction of writing" },
	{ "FROM_INVISIBLE", 1.0, "Invisible characters within a word in From" },
	{ "FROM_MIXED_SCRIPTS", 1.5, "A word in the author's name mixes scripts" },
	{ "FROM_NAME_ADDRESS", 0.8, "The author's name holds an address of another organisation" },
	{ "FROM_NAME_OURS", 3.0, "The author's name claims one of our domains, the address doesn't" },
	{ "FROM_NAME_PROTECTED", 3.0, "The author's name is a listed one, the address isn't" },
	{ "FROM_LOOKALIKE_OURS", 4.0, "The author domain looks like one of ours" },
	{ "FROM_LOOKALIKE", 3.0, "The author domain looks like a protected one" },
	{ "FROM_DOMAIN_MIXED", 2.0, "The author domain mixes scripts" },
	{ "FROM_OURS_OUTSIDE", 2.5, "The author domain is ours, the mail is not" },
	{ "REPLY_TO_OTHER", 0, "Reply-To is of another organisation than From" },
	{ "REPLY_TO_LOOKALIKE", 3.0, "Reply-To looks like From or one of our domains, but isn't" },
	{ "REPLY_TO_MALFORMED", 0.5, "Reply-To is not written as it should be" },
	{ "RETURN_PATH_OTHER", 0, "The reverse-path is of another organisation than From" },
	{ "SENDER_OTHER", 0, "Sender is of another organisation than From" },
	{ "SENDER_LOOKALIKE", 3.0, "Sender looks like From or one of our domains, but isn't" },
	{ "SENDER_OURS", 1.5, "Sender claims one of our domains, the mail is not ours" },
	{ "SENDER_MALFORMED", 1.0, "Sender is not one mailbox" },
	{ NULL, 0, NULL },
};

void forged_hit(struct scan *scan, int consequence, const char *symbol, struct slice evidence)
{
	const struct forged_settings *s = scan_settings(scan);
	struct hit *hit = scan_hit(scan, symbol, "%.*s", SLICE_ARG(evidence));
	if (consequence == FORGED_SCORE || client_is_ours(&scan->client))
		return;
	hit->action = consequence == FORGED_REJECT ? ACTION_REJECT : ACTION_QUARANTINE;
	hit->refusal = (struct refusal){
		.code = 550,
		.enhanced = "5.7.1",
		.text = arena_printf(scan->arena, "%.*s: %s", SLICE_ARG(s->text), hit->describe),
	};
}

static void read_from(const struct scan *scan, struct forged_from *from)
{
	const struct header *h;
	enum author_spelling spelling;
	while (from->count < FORGED_FROM_FIELDS &&
	       (h = author_field(&scan->message, SLICE("From"), from->count, &spelling)) != NULL) {
		struct mailbox_list *list = &from->lists[from->count];
		from->values[from->count++] = author_field_value(h);
		mailbox_list_parse(scan->arena, author_field_value(h), list);
		from->problems |= list->problems;
		from->odd |= spelling != AUTHOR_PLAIN;
		from->spoilt |= spelling == AUTHOR_SPOILT;
	}
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct forged_settings *s = scan_settings(scan);
	struct forged_from from = { .count = 0 };
	(void)state;
	if (phase == PHASE_END) {
		forged_ours_check(scan, s);
		return STEP_DONE;
	}
	read_from(scan, &from);
	forged_syntax_check(scan, s, &from);
	forged_name_check(scan, s, &from);
	forged_domain_check(scan, s);
	forged_fields_check(scan, s);
	return STEP_DONE;
}

static const char *const after[] = { "author", "spf", "dkim", "dmarc", NULL };

const struct filter forged_from_filter = {
	.name = "forged_from",
	.phases = PHASE_BIT(PHASE_HEADERS) | PHASE_BIT(PHASE_END),
	.step = step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct forged_settings),
	.symbols = symbols,
};
