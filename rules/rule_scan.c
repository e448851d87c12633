#include "rules/rule_scan.h"

#include "base/buf.h"
#include "message/encoded_word.h"
#include "message/parameter.h"
#include "message/skeleton.h"
#include "rules/header_address.h"
#include "rules/rule_conclude.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

/* More text than this is not folded into its skeleton. */
#define SKELETON_MAX (512u * 1024)
#define MIME_PARTS_MAX 1000u

/* ---- the connection and the trace ---- */

static bool connection_relay(const struct rule_input *in, struct relay *relay_r)
{
	const struct client *c = in->client;
	if (c == NULL || c->ip.family == 0 || in->client_in_received)
		return false;
	char text[IP_TEXT_MAX];
	*relay_r = (struct relay){
		.ip = c->ip,
		.ip_text = arena_copy(in->arena, slice_str(ip_text(&c->ip, text))),
		.rdns = c->name,
		.helo = c->helo,
		.by = in->hostname,
		.envfrom = in->envelope != NULL ? in->envelope->sender.text : SLICE_EMPTY,
		.auth = c->login.len > 0 ? SLICE("ESMTPA") : SLICE_EMPTY,
		.with = c->esmtp ? SLICE("ESMTP") : SLICE("SMTP"),
		.tls = c->tls_version,
		.private_ip = ip_is_private(&c->ip),
		.header = SIZE_MAX,
	};
	return true;
}

static void find_relays(struct rule_scan *s)
{
	const struct rule_lists *l = s->rules->lists;
	struct received_networks networks = {
		.trusted = s->in.trusted, .trusted_count = s->in.trusted_count,
		.internal = s->in.internal, .internal_count = s->in.internal_count,
		.msa = l->msa, .msa_count = l->msa_count,
	};
	if (l->trusted_count > 0) {
		networks.trusted = l->trusted;
		networks.trusted_count = l->trusted_count;
	}
	if (l->internal_count > 0) {
		networks.internal = l->internal;
		networks.internal_count = l->internal_count;
	}
	struct relay *relay = arena_new(s->arena, struct relay);
	bool connected = connection_relay(&s->in, relay);
	s->relays = message_relays(s->in.message, &networks, connected ? relay : NULL);
	relays_tell(s->in.message->arena, s->relays);
}

/* fetchmail hands mail on with the address of X-Sender as reverse-path, where
 * list software has written whoever wrote to the list. */
static bool made_by_fetchmail(const struct message *m)
{
	const struct header *sender = message_header(m, SLICE("X-Sender"), 0), *received;
	struct header_mailbox box;
	if (sender == NULL || header_addresses(m->arena, sender->value, &box, 1) == 0 ||
	    slice_chr(box.address, '@') == SLICE_NPOS)
		return false;
	for (size_t n = 0; (received = message_header(m, SLICE("Received"), n)) != NULL; n++)
		if (slice_find(received->value, SLICE("(fetchmail")) != SLICE_NPOS)
			return true;
	return false;
}

bool rule_envelope_from(const struct message *m, struct slice *address_r)
{
	static const struct slice names[] = {
		{ "X-Envelope-From", 15 }, { "Envelope-Sender", 15 }, { "Return-Path", 11 },
	};
	*address_r = SLICE_EMPTY;
	if (made_by_fetchmail(m))
		return false;
	for (size_t i = 0; i < m->header_count; i++) {
		const struct header *h = &m->headers[i];
		if (slice_eq_nocase(h->name, SLICE("Received")))
			return false;
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
			if (!slice_eq_nocase(h->name, names[k]))
				continue;
			struct header_mailbox box;
			size_t n = header_addresses(m->arena, h->value, &box, 1);
			if (n > 0)
				*address_r = box.address;
			if ((n > 0 && box.address.len > 0) || slice_find(h->value, SLICE("<>")) != SLICE_NPOS)
				return true;
		}
	}
	return false;
}

static void find_envelope_from(struct rule_scan *s)
{
	if (s->in.envelope_known && s->in.envelope != NULL) {
		s->envelope_from = s->in.envelope->sender.text;
		s->has_envelope_from = true;
		return;
	}
	const struct relays *r = s->relays;
	const struct relay *last = r->trusted_count < r->count ? &r->list[r->trusted_count] :
				   r->count > 0 ? &r->list[r->count - 1] : NULL;
	if (last != NULL && slice_chr(last->envfrom, '@') != SLICE_NPOS) {
		s->envelope_from = last->envfrom;
		s->has_envelope_from = true;
		return;
	}
	s->has_envelope_from = rule_envelope_from(s->in.message, &s->envelope_from);
}

struct rule_scan *rule_scan_begin(const struct ruleset *rules, const struct rule_input *input)
{
	struct rule_scan *s = arena_new(input->arena, struct rule_scan);
	size_t count = rules->table->count;
	s->rules = rules;
	s->in = *input;
	s->arena = input->arena;
	s->evals = arena_new(s->arena, struct eval_state);
	s->values = arena_array(s->arena, struct expr_range, count + 1);
	s->evidence = arena_array(s->arena, struct slice, count + 1);
	memcpy(s->values, rules->plan.ranges, (count + 1) * sizeof(*s->values));
	if (!rules->options.net)
		s->in.questions = NULL;
	find_relays(s);
	find_envelope_from(s);
	return s;
}

void rule_scan_headers(struct rule_scan *s)
{
	s->phase = PHASE_HEADERS;
	if (s->in.questions == NULL)
		return;
	for (size_t i = 0; i < s->rules->eval_count; i++) {
		const struct rule *rule = s->rules->table->list[s->rules->evals[i]];
		if (rule->eval->asks == EVAL_ASKS_EARLY)
			rule->eval->fn(s, rule);
	}
}

/* ---- texts ---- */

struct segments {
	struct segment *list;
	size_t count, cap;
};

static void segment_add(struct rule_scan *s, struct segments *g, struct slice text, uint32_t tag)
{
	if (g->count == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 64;
		struct segment *list = arena_array(s->arena, struct segment, cap);
		if (g->count > 0)
			memcpy(list, g->list, g->count * sizeof(*list));
		g->list = list;
		g->cap = cap;
	}
	g->list[g->count++] = (struct segment){ text, tag };
}

static void run_pieces(struct rule_scan *s, enum channel channel, const struct text *text)
{
	struct segments g = { .count = 0 };
	if (!rule_engine_uses(s->rules->engine, channel))
		return;
	for (size_t i = 0; i < text->count; i++)
		segment_add(s, &g, text->pieces[i], 0);
	engine_run_channel(s->rules->engine, &s->run, channel, g.list, g.count, text->all);
	engine_run_templates(s->rules->engine, &s->run, channel, g.list, g.count);
}

static void run_headers(struct rule_scan *s)
{
	size_t count;
	const struct header_selector *list = rule_engine_selectors(s->rules->engine, CHANNEL_HEADER, &count);
	struct segments g = { .count = 0 };
	s->evals->headers = arena_array(s->arena, struct header_value, count);
	for (size_t i = 0; i < count; i++) {
		struct header_value *v = &s->evals->headers[i];
		v->found = rule_header_get(s, &list[i], &v->text);
		if (v->found)
			segment_add(s, &g, v->text, (uint32_t)i);
	}
	engine_run_channel(s->rules->engine, &s->run, CHANNEL_HEADER, g.list, g.count, SLICE_EMPTY);
	engine_run_templates(s->rules->engine, &s->run, CHANNEL_HEADER, g.list, g.count);
}

/* A field of a part as people read it: parameters in RFC 2231's form stand decoded on lines behind it. */
static struct slice field_text(struct rule_scan *s, const struct header *h)
{
	struct buf out = { 0 };
	buf_printf(&out, "%.*s\n", SLICE_ARG(header_decode(s->arena, h->name, h->value)));
	if (slice_chr(h->value, '*') != SLICE_NPOS) {
		struct parameters p = parameters_parse(s->arena, h->value);
		for (size_t i = 0; i < p.count; i++)
			if (p.list[i].extended)
				buf_printf(&out, "%.*s=\"%.*s\"\n", SLICE_ARG(p.list[i].name), SLICE_ARG(p.list[i].value));
	}
	struct slice text = arena_copy(s->arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

/* The last field of that name in a part, or all of them. */
static bool part_value(struct rule_scan *s, const struct part *part, const struct header_selector *sel,
		       struct slice *value_r)
{
	const struct header *last = NULL;
	struct buf all = { 0 };
	bool want_all = slice_eq(sel->name, SLICE("ALL"));
	for (size_t i = 0; i < part->header_count; i++) {
		const struct header *h = &part->headers[i];
		if (h->broken)
			continue;
		if (want_all)
			buf_printf(&all, "%.*s: %.*s\n", SLICE_ARG(h->name),
				   SLICE_ARG(header_decode(s->arena, h->name, h->value)));
		else if (slice_eq_nocase(h->name, sel->name))
			last = h;
	}
	if (want_all)
		*value_r = arena_copy(s->arena, buf_slice(&all));
	else if (last != NULL && (sel->parts & HEADER_RAW))
		*value_r = arena_printf(s->arena, "%.*s\n", SLICE_ARG(slice_trim_left(last->value)));
	else if (last != NULL)
		*value_r = field_text(s, last);
	buf_free(&all);
	return want_all || last != NULL;
}

static void run_mime_headers(struct rule_scan *s)
{
	size_t count;
	const struct header_selector *list = rule_engine_selectors(s->rules->engine, CHANNEL_MIMEHEADER, &count);
	const struct mime *mime = s->decoded->mime;
	struct segments g = { .count = 0 };
	for (size_t p = 0; p < mime->count && p < MIME_PARTS_MAX && count > 0; p++)
		for (size_t i = 0; i < count; i++) {
			struct slice value;
			if (part_value(s, &mime->parts[p], &list[i], &value))
				segment_add(s, &g, value, (uint32_t)i);
		}
	engine_run_channel(s->rules->engine, &s->run, CHANNEL_MIMEHEADER, g.list, g.count, SLICE_EMPTY);
}

/* Every form of every URI that a reader could click on, each once. */
static void collect_uris(struct rule_scan *s)
{
	const struct uris *uris = &s->decoded->uris;
	struct name_map seen = { .count = 0 };
	size_t total = 0;
	for (size_t i = 0; i < uris->count; i++)
		total += uris->list[i].cleaned_count;
	s->uri_texts = arena_array(s->arena, struct slice, total + 1);
	for (size_t i = 0; i < uris->count; i++) {
		const struct uri *uri = &uris->list[i];
		if (uri->types == URI_UNLINKED)
			continue;
		for (size_t k = 0; k < uri->cleaned_count; k++) {
			if (name_map_has(&seen, uri->cleaned[k]))
				continue;
			name_map_put(&seen, s->arena, uri->cleaned[k], 1);
			s->uri_texts[s->uri_count++] = uri->cleaned[k];
		}
	}
}

static void run_uris(struct rule_scan *s)
{
	struct segments g = { .count = 0 };
	collect_uris(s);
	for (size_t i = 0; i < s->uri_count; i++)
		segment_add(s, &g, s->uri_texts[i], 0);
	engine_run_channel(s->rules->engine, &s->run, CHANNEL_URI, g.list, g.count, SLICE_EMPTY);
	engine_run_templates(s->rules->engine, &s->run, CHANNEL_URI, g.list, g.count);
}

static void run_full(struct rule_scan *s)
{
	struct segments g = { .count = 0 };
	if (!rule_engine_uses(s->rules->engine, CHANNEL_FULL))
		return;
	segment_add(s, &g, decoded_full(s->in.message), 0);
	engine_run_channel(s->rules->engine, &s->run, CHANNEL_FULL, g.list, g.count, g.list[0].text);
}

static void run_skeleton(struct rule_scan *s)
{
	struct segments g = { .count = 0 };
	size_t total = 0;
	if (!rule_engine_uses(s->rules->engine, CHANNEL_SKELETON))
		return;
	for (size_t i = 0; i < s->decoded->body.count && total < SKELETON_MAX; i++) {
		total += s->decoded->body.pieces[i].len;
		segment_add(s, &g, skeleton_text(s->arena, s->decoded->body.pieces[i]), 0);
	}
	engine_run_channel(s->rules->engine, &s->run, CHANNEL_SKELETON, g.list, g.count, SLICE_EMPTY);
}

void rule_scan_texts(struct rule_scan *s)
{
	const struct decode_limits limits = {
		.mime = { .engine = s->in.mime_engine }, .html = { .engine = s->in.html_engine },
		.uri = { .redirect = rule_lists_redirect, .redirect_arg = s->rules->lists },
	};
	if (s->texts_done)
		return;
	s->decoded = message_decode(s->in.message, &limits);
	engine_run_begin(s->rules->engine, &s->run, s->arena, s->in.all);
	s->running = true;
	run_headers(s);
	run_mime_headers(s);
	run_pieces(s, CHANNEL_BODY, &s->decoded->body);
	run_pieces(s, CHANNEL_RAWBODY, &s->decoded->rawbody);
	run_uris(s);
	run_full(s);
	run_skeleton(s);
	engine_run_end(s->rules->engine, &s->run);
	s->running = false;
	rule_conclude_patterns(s);
	s->texts_done = true;
}

/* ---- results ---- */

static struct slice evidence_of(struct rule_scan *s, const struct rule *rule)
{
	const struct engine_hit *hit = &s->run.hits[rule->index];
	if (s->evidence[rule->index].len > 0)
		return s->evidence[rule->index];
	if (rule->type == RULE_META)
		return arena_printf(s->arena, "meta: %.*s", SLICE_ARG(slice_head(rule->text, 120)));
	if (rule->engine_id == 0)
		return SLICE_EMPTY;
	struct slice where = slice_str(rule_type_name(rule->type));
	if (rule->type == RULE_HEADER || rule->type == RULE_MIMEHEADER)
		where = rule->header.name;
	if (rule->exists)
		return arena_printf(s->arena, "%.*s: there", SLICE_ARG(where));
	if (hit->count == 0)
		return arena_printf(s->arena, "%.*s: no match", SLICE_ARG(where));
	return arena_printf(s->arena, "%.*s: \"%.*s\"", SLICE_ARG(where), SLICE_ARG(hit->evidence));
}

const struct rule_hit *rule_scan_hits(struct rule_scan *s, size_t *count_r)
{
	const struct rule_table *table = s->rules->table;
	size_t n = 0, most = 0;
	for (size_t i = 0; i < table->count; i++)
		most += s->values[i].low > 0;
	struct rule_hit *hits = arena_array(s->arena, struct rule_hit, most + 1);
	for (size_t i = 0; i < table->count && most > 0; i++) {
		const struct rule *rule = table->list[i];
		if (!rule_scan_knows(s, (uint32_t)i) || s->values[i].low == 0 || rule_told_by_filter(rule) ||
		    (!s->in.all && rule_is_hidden(rule)))
			continue;
		hits[n++] = (struct rule_hit){ rule, s->values[i].low, evidence_of(s, rule) };
	}
	*count_r = n;
	return hits;
}

const struct rule *rule_scan_slow(const struct rule_scan *s, size_t *at)
{
	const struct rule_table *table = s->rules->table;
	while (s->run.cut_off && *at < table->count) {
		size_t i = (*at)++;
		if (s->run.hits[i].over_budget)
			return table->list[i];
	}
	return NULL;
}

void rule_scan_end(struct rule_scan **scan)
{
	if (*scan != NULL && (*scan)->running)
		engine_run_end((*scan)->rules->engine, &(*scan)->run);
	*scan = NULL;
}
