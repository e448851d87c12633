#include "proxy/scan_report.h"

#include <math.h>

#include "base/json.h"
#include "base/utf8.h"

/* ---- JSON (DESIGN 8) ---- */

static double rounded(double score)
{
	return round(score * 1000) / 1000;
}

static void json_hits(struct json *j, const struct hits *hits, const struct config_policy *policy)
{
	json_key(j, "hits");
	json_open_array(j);
	for (size_t i = 0; i < hits->count; i++) {
		const struct hit *h = &hits->list[i];
		json_open_object(j);
		json_str(j, "symbol", slice_str(h->symbol));
		json_real(j, "score", rounded(policy_score(policy, h)));
		json_str(j, "evidence", h->evidence);
		json_str(j, "describe", slice_str(h->describe ? h->describe : ""));
		if (h->action != ACTION_NONE)
			json_str(j, "action", slice_str(action_name(h->action)));
		if (h->shadow)
			json_flag(j, "shadow", true);
		if (policy_is_off(policy, h))
			json_flag(j, "off", true);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_spf(struct json *j, const struct spf_fact *spf)
{
	json_key(j, "spf");
	json_open_object(j);
	json_str(j, "result", slice_str(auth_result_name(spf->result)));
	json_str(j, "domain", spf->domain);
	json_str(j, "explanation", spf->explanation);
	json_str(j, "mechanism", spf->mechanism);
	json_str(j, "problem", spf->problem);
	json_close_object(j);
}

static void json_dkim(struct json *j, const struct facts *facts)
{
	json_key(j, "dkim");
	json_open_array(j);
	for (size_t i = 0; i < facts->dkim_count; i++) {
		const struct dkim_fact *d = &facts->dkim[i];
		json_open_object(j);
		json_str(j, "result", slice_str(auth_result_name(d->result)));
		json_str(j, "domain", d->domain);
		json_str(j, "selector", d->selector);
		json_str(j, "algorithm", d->algorithm);
		json_str(j, "reason", d->reason);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_rest(struct json *j, const struct facts *facts)
{
	json_key(j, "dmarc");
	json_open_object(j);
	json_str(j, "result", slice_str(auth_result_name(facts->dmarc.result)));
	json_str(j, "domain", facts->dmarc.domain);
	json_str(j, "policy", slice_str(dmarc_policy_name(facts->dmarc.policy)));
	json_str(j, "disposition", slice_str(dmarc_policy_name(facts->dmarc.disposition)));
	json_str(j, "reason", facts->dmarc.reason);
	json_close_object(j);
	json_key(j, "arc");
	json_open_object(j);
	json_str(j, "result", slice_str(auth_result_name(facts->arc.result)));
	json_str(j, "reason", facts->arc.reason);
	json_close_object(j);
	json_key(j, "from");
	json_open_object(j);
	json_str(j, "domain", facts->author.domain);
	json_str(j, "reason", facts->author.reason);
	json_close_object(j);
}

/* "550 5.7.1 text"; empty: accepted. */
static void add_reply(struct buf *out, const struct verdict *v)
{
	if (v->refusal.code == 0)
		return;
	buf_printf(out, "%u ", v->refusal.code);
	if (v->refusal.enhanced != NULL)
		buf_printf(out, "%s ", v->refusal.enhanced);
	buf_add_slice(out, v->refusal.text);
}

static void json_reply(struct json *j, const struct verdict *v)
{
	struct buf reply = { 0 };
	add_reply(&reply, v);
	json_str(j, "reply", buf_slice(&reply));
	buf_free(&reply);
}

void scan_report_json(struct buf *out, struct slice file, const struct scan_mail_result *r)
{
	struct json j = json_begin(out);
	char ip[IP_TEXT_MAX];
	json_open_object(&j);
	json_str(&j, "file", file);
	json_str(&j, "action", slice_str(action_name(r->verdict.action)));
	json_real(&j, "score", rounded(r->verdict.score));
	json_real(&j, "required", r->verdict.required);
	json_reply(&j, &r->verdict);
	if (r->verdict.redirect.len > 0)
		json_str(&j, "redirect", r->verdict.redirect);
	json_hits(&j, &r->scan->hits, r->verdict.policy);
	json_spf(&j, &r->scan->facts.spf);
	json_dkim(&j, &r->scan->facts);
	json_rest(&j, &r->scan->facts);
	json_key(&j, "client");
	json_open_object(&j);
	json_str(&j, "ip", slice_str(r->scan->client.ip.family ? ip_text(&r->scan->client.ip, ip) : ""));
	json_str(&j, "name", r->scan->client.name);
	json_str(&j, "helo", r->scan->client.helo);
	json_close_object(&j);
	json_num(&j, "time_us", r->spent_us);
	json_close_object(&j);
}

/* ---- text ---- */

static void add_details(struct buf *out, const struct scan_mail_result *r)
{
	const struct hits *hits = &r->scan->hits;
	for (size_t i = 0; i < hits->count; i++) {
		const struct hit *h = &hits->list[i];
		buf_printf(out, "    %6.2f  %-28s %s", policy_score(r->verdict.policy, h), h->symbol,
			   h->describe ? h->describe : "");
		if (h->action != ACTION_NONE)
			buf_printf(out, " (%s)", action_name(h->action));
		if (h->shadow)
			buf_add_str(out, " (shadow)");
		if (policy_is_off(r->verdict.policy, h))
			buf_add_str(out, " (off)");
		buf_add_char(out, '\n');
		if (h->evidence.len > 0) {
			buf_printf(out, "            %-28s ", "");
			utf8_add_printable(out, h->evidence);
			buf_add_char(out, '\n');
		}
	}
	if (r->verdict.refusal.code != 0) {
		buf_add_str(out, "    reply   ");
		struct buf reply = { 0 };
		add_reply(&reply, &r->verdict);
		utf8_add_printable(out, buf_slice(&reply));
		buf_free(&reply);
		buf_add_char(out, '\n');
	}
}

static void add_symbols(struct buf *out, const struct hits *hits)
{
	const char *separator = "  ";
	for (size_t i = 0; i < hits->count; i++) {
		if (hits->list[i].score == 0 && hits->list[i].action == ACTION_NONE)
			continue;
		buf_printf(out, "%s%s", separator, hits->list[i].symbol);
		separator = ",";
	}
}

void scan_report_text(struct buf *out, struct slice file, const struct scan_mail_result *r, bool details)
{
	buf_printf(out, "%-10s %7.2f/%-5.1f ", action_name(r->verdict.action), r->verdict.score, r->verdict.required);
	utf8_add_printable(out, file);
	if (!details)
		add_symbols(out, &r->scan->hits);
	buf_add_char(out, '\n');
	if (details)
		add_details(out, r);
}
