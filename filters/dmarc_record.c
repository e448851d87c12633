/*
 * Tag names and the words of policies are taken in any case (RFC 5234 2.3);
 * only "DMARC1" is case-sensitive.
 */
#include "filters/dmarc_record.h"

#define MAX_PERCENT 100

struct word {
	const char *word;
	int value;
};

static const struct word policies[] = {
	{ "none", DMARC_POLICY_NONE }, { "quarantine", DMARC_POLICY_QUARANTINE },
	{ "reject", DMARC_POLICY_REJECT }, { NULL, 0 },
};
static const struct word psds[] = {
	{ "u", DMARC_PSD_UNKNOWN }, { "y", DMARC_PSD_YES }, { "n", DMARC_PSD_NO }, { NULL, 0 },
};
static const struct word modes[] = { { "r", false }, { "s", true }, { NULL, 0 } };
static const struct word flags[] = { { "n", false }, { "y", true }, { NULL, 0 } };

static bool find_word(const struct word *words, struct slice value, int *value_r)
{
	for (; words->word != NULL; words++)
		if (slice_eq_nocase(value, slice_str(words->word))) {
			*value_r = words->value;
			return true;
		}
	return false;
}

static void set_policy(enum dmarc_policy *policy, bool *bad, struct slice value)
{
	int found;
	if (find_word(policies, value, &found))
		*policy = (enum dmarc_policy)found;
	else
		*bad = true;
}

static void set_p(struct dmarc_record *r, struct slice value)
{
	set_policy(&r->p, &r->bad_p, value);
}

static void set_sp(struct dmarc_record *r, struct slice value)
{
	set_policy(&r->sp, &r->bad_sp, value);
}

static void set_np(struct dmarc_record *r, struct slice value)
{
	set_policy(&r->np, &r->bad_np, value);
}

static void set_adkim(struct dmarc_record *r, struct slice value)
{
	int found;
	if (find_word(modes, value, &found))
		r->strict_dkim = found;
}

static void set_aspf(struct dmarc_record *r, struct slice value)
{
	int found;
	if (find_word(modes, value, &found))
		r->strict_spf = found;
}

static void set_psd(struct dmarc_record *r, struct slice value)
{
	int found;
	if (find_word(psds, value, &found))
		r->psd = (enum dmarc_psd)found;
}

static void set_t(struct dmarc_record *r, struct slice value)
{
	int found;
	if (find_word(flags, value, &found))
		r->testing = found;
}

static void set_pct(struct dmarc_record *r, struct slice value)
{
	uint64_t percent;
	if (slice_u64(value, MAX_PERCENT, &percent))
		r->percent = (unsigned)percent;
}

static bool is_uri_char(char c)
{
	return c > ' ' && c < 127 && strchr("<>\"{}|\\^`", c) == NULL;
}

/* scheme ":" something (RFC 3986 3), a mailto with an address in it. The
 * obsolete size behind "!" is part of neither. */
static bool is_report_uri(struct slice uri)
{
	size_t bang = slice_chr(uri, '!');
	uri = slice_trim(bang == SLICE_NPOS ? uri : slice_head(uri, bang));
	size_t colon = slice_chr(uri, ':');
	if (colon == SLICE_NPOS || colon == 0 || colon + 1 == uri.len || !ascii_is_alpha(uri.data[0]))
		return false;
	for (size_t i = 0; i < uri.len; i++) {
		char c = uri.data[i];
		if (i < colon ? !ascii_is_alnum(c) && strchr("+-.", c) == NULL : !is_uri_char(c))
			return false;
	}
	if (!slice_eq_nocase(slice_head(uri, colon), SLICE("mailto")))
		return true;
	struct slice address = slice_from(uri, colon + 1);
	size_t at = slice_chr(address, '@');
	return at != SLICE_NPOS && at > 0 && at + 1 < address.len;
}

static void set_rua(struct dmarc_record *r, struct slice value)
{
	struct slice uri;
	r->rua = value;
	while (slice_split(&value, ',', &uri))
		if (is_report_uri(slice_trim(uri)))
			r->has_rua = true;
}

static void set_ruf(struct dmarc_record *r, struct slice value)
{
	r->ruf = value;
}

static void set_fo(struct dmarc_record *r, struct slice value)
{
	r->fo = value;
}

static const struct tag {
	const char *name;
	void (*set)(struct dmarc_record *record, struct slice value);
} tags[] = {
	{ "p", set_p }, { "sp", set_sp }, { "np", set_np }, { "adkim", set_adkim }, { "aspf", set_aspf },
	{ "psd", set_psd }, { "t", set_t }, { "pct", set_pct }, { "rua", set_rua }, { "ruf", set_ruf },
	{ "fo", set_fo },
};
#define TAGS (sizeof(tags) / sizeof(tags[0]))

static struct slice trim_wsp(struct slice s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_from(s, 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool split_tag(struct slice piece, struct slice *name_r, struct slice *value_r)
{
	size_t equals = slice_chr(piece, '=');
	if (equals == SLICE_NPOS)
		return false;
	*name_r = trim_wsp(slice_head(piece, equals));
	*value_r = trim_wsp(slice_from(piece, equals + 1));
	return true;
}

static void apply_tag(struct dmarc_record *record, unsigned *seen, struct slice piece)
{
	struct slice name, value;
	if (!split_tag(piece, &name, &value))
		return;
	for (size_t i = 0; i < TAGS; i++)
		if (slice_eq_nocase(name, slice_str(tags[i].name)) && !(*seen >> i & 1)) {
			*seen |= 1u << i;
			tags[i].set(record, value);
		}
}

bool dmarc_record_parse(struct slice txt, struct dmarc_record *record_r)
{
	struct slice piece, name, value;
	unsigned seen = 0;
	*record_r = (struct dmarc_record){ .percent = MAX_PERCENT };
	/* The record begins with the tag: no white space in front (4.8). */
	if (txt.len == 0 || ascii_lower(txt.data[0]) != 'v' || !slice_split(&txt, ';', &piece) ||
	    !split_tag(piece, &name, &value) || name.len != 1 || !slice_eq(value, SLICE("DMARC1")))
		return false;
	while (slice_split(&txt, ';', &piece))
		apply_tag(record_r, &seen, piece);
	return true;
}

bool dmarc_record_settle(struct dmarc_record *record, const char **why_r)
{
	bool bad = record->bad_p || record->bad_sp || record->bad_np;
	if (!bad && record->p != DMARC_POLICY_UNSET)
		return true;
	if (bad && !record->has_rua) {
		*why_r = record->bad_p ? "bad p tag" : record->bad_sp ? "bad sp tag" : "bad np tag";
		return false;
	}
	record->p = DMARC_POLICY_NONE;
	if (bad)
		record->sp = record->np = DMARC_POLICY_NONE;
	return true;
}

enum dmarc_policy dmarc_record_policy(const struct dmarc_record *record, enum dmarc_name name)
{
	if (name == DMARC_NONEXISTENT && record->np != DMARC_POLICY_UNSET)
		return record->np;
	if (name != DMARC_OWN && record->sp != DMARC_POLICY_UNSET)
		return record->sp;
	return record->p;
}

enum dmarc_policy dmarc_policy_lower(enum dmarc_policy policy)
{
	switch (policy) {
	case DMARC_POLICY_REJECT:
		return DMARC_POLICY_QUARANTINE;
	case DMARC_POLICY_QUARANTINE:
		return DMARC_POLICY_NONE;
	default:
		return policy;
	}
}
