#include "message/received_spf.h"

#include "base/buf.h"

static char printable(char c)
{
	return c >= ' ' && c < 0x7f ? c : '?';
}

/* ctext without parentheses and quoted pairs (RFC 5322 3.2.2). */
static void add_comment_text(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = printable(s.data[i]);
		buf_add_char(out, c == '(' || c == ')' || c == '\\' ? '?' : c);
	}
}

static bool is_dot_atom(struct slice s)
{
	if (s.len == 0 || s.data[0] == '.' || s.data[s.len - 1] == '.' || slice_find(s, SLICE("..")) != SLICE_NPOS)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.data[i]) && slice_chr(SLICE(".!#$%&'*+-/=?^_`{|}~"), s.data[i]) == SLICE_NPOS)
			return false;
	return true;
}

static void add_value(struct buf *out, struct slice value)
{
	if (is_dot_atom(value)) {
		buf_add_slice(out, value);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '"' || value.data[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, printable(value.data[i]));
	}
	buf_add_char(out, '"');
}

static void add_pair(struct buf *out, const char *space, const char *key, struct slice value)
{
	buf_add_str(out, space);
	buf_add_str(out, key);
	buf_add_char(out, '=');
	add_value(out, value);
	buf_add_char(out, ';');
}

/* %S the sender's domain, %C the client, in words for each result. */
static const char *const comments[] = {
	[AUTH_UNKNOWN] = "not checked",
	[AUTH_NONE] = "%S gives no SPF record",
	[AUTH_PASS] = "%S designates %C as permitted sender",
	[AUTH_FAIL] = "%S does not designate %C as permitted sender",
	[AUTH_SOFTFAIL] = "%S discourages use of %C as permitted sender",
	[AUTH_NEUTRAL] = "%C is neither permitted nor denied by %S",
	[AUTH_POLICY] = "not checked by local policy",
	[AUTH_TEMPERROR] = "temporary error in the check of %S",
	[AUTH_PERMERROR] = "the SPF record of %S can not be used",
};

static void add_comment(struct buf *out, const struct received_spf *spf, struct slice receiver)
{
	char ip[IP_TEXT_MAX];
	buf_add_str(out, " (");
	add_comment_text(out, receiver);
	buf_add_str(out, ": ");
	for (const char *p = comments[spf->fact->result]; *p != '\0'; p++) {
		if (*p != '%')
			buf_add_char(out, *p);
		else if (*++p == 'C')
			buf_add_str(out, ip_text(&spf->client, ip));
		else
			add_comment_text(out, spf->fact->domain);
	}
	buf_add_char(out, ')');
}

static struct slice field(struct arena *arena, const struct received_spf *spf, const char *fold)
{
	const struct spf_fact *fact = spf->fact;
	bool error = fact->result == AUTH_TEMPERROR || fact->result == AUTH_PERMERROR;
	struct slice receiver = spf->receiver.len > 0 ? spf->receiver : SLICE("unknown");
	struct buf out = { 0 };
	char ip[IP_TEXT_MAX];
	buf_add_str(&out, "Received-SPF: ");
	buf_add_str(&out, auth_result_name(fact->result));
	add_comment(&out, spf, receiver);
	add_pair(&out, fold, "client-ip", slice_str(ip_text(&spf->client, ip)));
	add_pair(&out, " ", "identity", fact->helo ? SLICE("helo") : SLICE("mailfrom"));
	add_pair(&out, fold, "envelope-from", fact->sender);
	if (spf->helo.len > 0)
		add_pair(&out, fold, "helo", spf->helo);
	add_pair(&out, fold, "receiver", receiver);
	if (error)
		add_pair(&out, fold, "problem", fact->problem);
	else if (fact->result != AUTH_NONE)
		add_pair(&out, fold, "mechanism", fact->mechanism.len > 0 ? fact->mechanism : SLICE("default"));
	struct slice copy = arena_copy(arena, slice_head(buf_slice(&out), out.len - 1));
	buf_free(&out);
	return copy;
}

struct slice received_spf_field(struct arena *arena, const struct received_spf *spf)
{
	return field(arena, spf, "\r\n\t");
}

struct slice received_spf_line(struct arena *arena, const struct received_spf *spf)
{
	return field(arena, spf, " ");
}
