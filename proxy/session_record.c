#include "proxy/session_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "message/address.h"

#define ANSWERS_MAX (96u << 10) /* octets of one entry */
#define HITS_MAX 300u
#define VALUE_MAX 65536u /* of rdata, RFC 1035 3.2.1 */

/* ---- words: no white space in them, "-" for nothing */

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '%';
}

static void add_encoded(struct buf *out, struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	char *p = buf_reserve(out, 3 * s.len);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (is_plain(s.data[i])) {
			*p++ = s.data[i];
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	out->len = (size_t)(p - out->data);
}

static void add_word(struct buf *out, struct slice s)
{
	s = slice_head(s, VALUE_MAX);
	buf_add_char(out, ' ');
	if (s.len == 0 || slice_eq(s, SLICE("-")))
		buf_add_str(out, s.len ? "%2d" : "-");
	else
		add_encoded(out, s);
}

static void add_int(struct buf *out, int64_t value)
{
	buf_add_char(out, ' ');
	buf_add_number(out, value);
}

/* Scores have few places. */
static void add_real(struct buf *out, double value)
{
	double thousand = value * 1000;
	buf_add_char(out, ' ');
	if (thousand > -1e6 && thousand < 1e6 && thousand == (double)(int)thousand)
		buf_add_decimal(out, value, 3);
	else
		buf_printf(out, "%.6g", value);
}

static void add_text(struct buf *out, const char *s)
{
	add_word(out, slice_str(s));
}

static struct slice decode(struct arena *arena, struct slice s)
{
	if (slice_eq(s, SLICE("-")))
		return SLICE_EMPTY;
	if (slice_chr(s, '%') == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool hex = s.data[i] == '%' && i + 2 < s.len && ascii_hex(s.data[i + 1]) >= 0 &&
			   ascii_hex(s.data[i + 2]) >= 0;
		out[n++] = hex ? (char)(ascii_hex(s.data[i + 1]) * 16 + ascii_hex(s.data[i + 2])) : s.data[i];
		i += hex ? 2 : 0;
	}
	return slice_make(out, n);
}

/* ---- writing */

static void add_session(struct buf *out, const struct scan *scan)
{
	const struct client *c = &scan->client;
	const struct envelope *e = &scan->envelope;
	const struct message *m = &scan->message;
	char ip[IP_TEXT_MAX];
	const int64_t numbers[] = {
		scan->now, c->port, c->manners, c->esmtp, c->submission, c->relay_decided, e->body_8bit, e->body_binary,
		e->smtputf8, m->had_bare_lf, m->had_long_line, m->had_8bit_header,
	};
	buf_add_str(out, "@s");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		add_int(out, numbers[i]);
	add_text(out, c->ip.family ? ip_text(&c->ip, ip) : "");
	add_word(out, c->name);
	add_word(out, c->helo);
	add_word(out, c->login);
	add_word(out, c->auth_mechanism);
	add_word(out, c->tls_version);
	add_word(out, c->tls_cipher);
	add_text(out, c->listener);
	add_word(out, e->sender.text);
	add_word(out, e->params);
	buf_add_char(out, '\n');
}

static void add_recipient(struct buf *out, const struct scan *scan, int index, enum recipient_fate fate)
{
	const struct recipient *r = &scan->envelope.recipients[index];
	buf_add_str(out, "@r");
	add_int(out, fate);
	add_word(out, r->mailbox.text);
	add_word(out, r->params);
	buf_add_char(out, '\n');
}

static enum recipient_fate fate_of(const struct scan *scan, size_t index)
{
	const struct recipient *r = &scan->envelope.recipients[index];
	const struct verdict_input in = {
		.snapshot = scan->snapshot, .client = &scan->client, .envelope = &scan->envelope, .hits = &scan->hits,
		.arena = scan->arena, .facts = &scan->facts, .apart = scan->apart,
	};
	struct verdict v;
	if (r->accepted)
		return FATE_ACCEPTED;
	verdict_at_rcpt(&in, index, r->role, &v);
	return v.refusal.code != 0 ? FATE_REFUSED : FATE_BACKEND;
}

static void add_answer(struct buf *out, const struct question *q)
{
	const struct answer *a = q->answer;
	const int64_t numbers[] = {
		q->kind, q->kind == QUESTION_STORE ? (int)q->store.op : q->type, a->status, a->ttl, a->secure, a->number,
	};
	buf_add_str(out, "@a");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		add_int(out, numbers[i]);
	add_text(out, q->asker);
	add_word(out, q->name);
	add_text(out, a->why);
	add_word(out, a->value);
	for (size_t i = 0; i < a->count; i++)
		add_word(out, a->records[i]);
	buf_add_char(out, '\n');
}

static void add_answers(struct buf *out, const struct scan *scan)
{
	size_t start = out->len;
	for (uint32_t i = 0; i < questions_count(scan->questions); i++) {
		const struct question *q = questions_at(scan->questions, i);
		if (q->kind == QUESTION_JOB || q->answer == NULL)
			continue;
		if (out->len - start > ANSWERS_MAX) {
			buf_add_str(out, "@c\n");
			return;
		}
		add_answer(out, q);
	}
}

static void add_hits(struct buf *out, const struct scan *scan, const struct verdict *v, int recipient)
{
	for (size_t i = 0; i < scan->hits.count && i < HITS_MAX; i++) {
		const struct hit *h = &scan->hits.list[i];
		if (h->recipient >= 0 && recipient >= 0 && h->recipient != recipient)
			continue;
		double score = v != NULL && v->policy != NULL ? policy_score(v->policy, h) : h->score;
		const int64_t numbers[] = { h->action, h->phase, h->recipient, h->shadow, h->refusal.code };
		buf_add_str(out, "@h");
		add_real(out, score);
		add_real(out, h->score);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++)
			add_int(out, numbers[k]);
		add_text(out, h->symbol);
		add_text(out, h->filter);
		add_text(out, h->refusal.enhanced);
		add_word(out, h->refusal.text);
		add_word(out, h->evidence);
		add_text(out, h->describe);
		buf_add_char(out, '\n');
	}
}

void session_record_write(struct buf *out, const struct scan *scan, const struct verdict *v, int recipient, bool brief)
{
	if (!brief)
		add_session(out, scan);
	if (v != NULL && v->policy != NULL) {
		buf_add_str(out, "@v");
		add_int(out, v->action);
		add_real(out, v->score);
		buf_add_char(out, '\n');
	}
	for (size_t i = 0; recipient < 0 && i < scan->envelope.recipient_count; i++)
		add_recipient(out, scan, (int)i, fate_of(scan, i));
	if (recipient >= 0)
		add_recipient(out, scan, recipient, fate_of(scan, (size_t)recipient));
	add_hits(out, scan, v, recipient);
	if (!brief)
		add_answers(out, scan);
}

/* ---- reading */

struct reading {
	struct arena *arena;
	struct session_record *r;
	struct slice rest;         /* of the line */
	size_t lines;              /* of all: bounds what there can be */
	bool any, of_message;
};

static struct slice raw_word(struct reading *in)
{
	struct slice word = SLICE_EMPTY;
	in->rest = slice_trim_left(in->rest);
	if (in->rest.len > 0)
		slice_split(&in->rest, ' ', &word);
	return word;
}

static struct slice next(struct reading *in)
{
	return decode(in->arena, raw_word(in));
}

static const char *next_str(struct reading *in)
{
	struct slice s = next(in);
	return s.len > 0 ? arena_str(in->arena, s) : NULL;
}

/* The next word, to be read as a number. */
static const char *number(struct reading *in, char text[40])
{
	struct slice word = slice_head(raw_word(in), 39);
	snprintf(text, 40, "%.*s", SLICE_ARG(word));
	return text;
}

static double next_real(struct reading *in)
{
	char text[40];
	return strtod(number(in, text), NULL);
}

static int64_t next_int(struct reading *in)
{
	char text[40];
	return strtoll(number(in, text), NULL, 10);
}

static bool next_flag(struct reading *in)
{
	return next_int(in) != 0;
}

/* Of a value that was written; another number in a spoilt file counts as 0. */
static unsigned next_below(struct reading *in, unsigned end)
{
	int64_t n = next_int(in);
	return n >= 0 && n < (int64_t)end ? (unsigned)n : 0;
}

static void read_session(struct reading *in)
{
	struct session_record *r = in->r;
	struct client *c = &r->client;
	struct envelope *e = &r->envelope;
	r->now = next_int(in);
	c->port = (uint16_t)next_below(in, 65536);
	c->manners = next_below(in, 1u << 16);
	c->esmtp = next_flag(in);
	c->submission = next_flag(in);
	c->relay_decided = next_flag(in);
	e->body_8bit = next_flag(in);
	e->body_binary = next_flag(in);
	e->smtputf8 = next_flag(in);
	r->had_bare_lf = next_flag(in);
	r->had_long_line = next_flag(in);
	r->had_8bit_header = next_flag(in);
	ip_parse(next(in), &c->ip);
	c->name = next(in);
	c->helo = next(in);
	c->login = next(in);
	c->auth_mechanism = next(in);
	c->tls_version = next(in);
	c->tls_cipher = next(in);
	c->listener = next_str(in);
	struct slice sender = next(in);
	if (sender.len > 0)
		address_parse(in->arena, sender, ADDRESS_MAIL | ADDRESS_UTF8, &e->sender);
	e->params = next(in);
	in->any = true;
}

static void read_recipient(struct reading *in)
{
	struct session_record *r = in->r;
	enum recipient_fate fate = (enum recipient_fate)next_below(in, FATE_BACKEND + 1);
	struct recipient to = { .accepted = fate == FATE_ACCEPTED };
	if (address_parse(in->arena, next(in), ADDRESS_RCPT | ADDRESS_UTF8, &to.mailbox) != ADDRESS_OK)
		return;
	to.params = next(in);
	r->fates[r->envelope.recipient_count] = fate;
	envelope_add(&r->envelope, &to, in->arena)->accepted = to.accepted;
}

static size_t words_in(struct slice s)
{
	size_t n = 1;
	for (size_t i = 0; i < s.len; i++)
		n += s.data[i] == ' ';
	return n;
}

static void read_answer(struct reading *in)
{
	struct recorded_answer *a = &in->r->answers[in->r->answer_count++];
	a->kind = (enum question_kind)next_below(in, QUESTION_SCANNER + 1);
	a->type = (uint16_t)next_below(in, 65536);
	a->answer.status = (enum answer_status)next_below(in, ANSWER_TEMPERROR + 1);
	a->answer.ttl = (uint32_t)next_int(in);
	a->answer.secure = next_flag(in);
	a->answer.number = next_int(in);
	a->asker = next(in);
	a->name = next(in);
	a->answer.why = next_str(in);
	a->answer.value = next(in);
	a->answer.records = arena_array(in->arena, struct slice, words_in(in->rest));
	while (slice_trim_left(in->rest).len > 0)
		a->answer.records[a->answer.count++] = next(in);
}

static void read_hit(struct reading *in)
{
	struct recorded_hit *h = &in->r->hits[in->r->hit_count++];
	h->score = next_real(in);
	h->hit.score = next_real(in);
	h->hit.action = (enum action)next_below(in, ACTIONS);
	h->hit.phase = (enum phase)next_below(in, PHASES);
	h->hit.recipient = (int)next_int(in);
	h->hit.shadow = next_flag(in);
	h->hit.refusal.code = (uint16_t)next_below(in, 600);
	h->hit.symbol = next_str(in);
	h->hit.filter = next_str(in);
	h->hit.refusal.enhanced = next_str(in);
	h->hit.refusal.text = next(in);
	h->hit.evidence = next(in);
	h->hit.describe = next_str(in);
	if (h->hit.symbol == NULL)
		in->r->hit_count--;
}

static void read_verdict(struct reading *in)
{
	in->r->action = (enum action)next_below(in, ACTIONS);
	in->r->score = next_real(in);
}

static void read_cut(struct reading *in)
{
	in->r->cut = true;
}

/* "= ID TIME HOW": an entry begins. One of a message says all again. */
static void begin_entry(struct reading *in)
{
	struct session_record *r = in->r;
	raw_word(in);
	raw_word(in);
	in->of_message = !slice_eq(in->rest, SLICE("recipient refused"));
	if (in->of_message) {
		*r = (struct session_record){ .fates = r->fates, .answers = r->answers, .hits = r->hits };
		r->has_message = !slice_eq(in->rest, SLICE("abort"));
	}
	if (in->of_message || !r->has_message)
		r->how = in->rest;
}

static void read_line(struct reading *in, struct slice line)
{
	static const struct {
		const char *mark;
		void (*read)(struct reading *in);
	} lines[] = {
		{ "@s ", read_session }, { "@r ", read_recipient }, { "@a ", read_answer },
		{ "@h ", read_hit },     { "@v ", read_verdict },   { "@c", read_cut }, { "= ", begin_entry },
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (!slice_starts(line, slice_str(lines[i].mark)))
			continue;
		in->rest = slice_from(line, strlen(lines[i].mark));
		lines[i].read(in);
		return;
	}
	if (slice_starts(line, SLICE("reply   ")))
		in->r->reply = slice_from(line, 8);
}

bool session_record_read(struct arena *arena, struct slice entries, struct session_record *r)
{
	struct reading in = { .arena = arena, .r = r, .lines = 1 };
	struct slice rest = entries, line;
	for (size_t i = 0; i < entries.len; i++)
		in.lines += entries.data[i] == '\n';
	*r = (struct session_record){
		.answers = arena_array(arena, struct recorded_answer, in.lines),
		.hits = arena_array(arena, struct recorded_hit, in.lines),
		.fates = arena_array(arena, enum recipient_fate, in.lines),
	};
	/* Recipients refused after the message was judged are another transaction's matter. */
	while (rest.data != NULL && slice_split(&rest, '\n', &line))
		read_line(&in, line);
	return in.any;
}

const struct answer *session_record_answer(const struct session_record *r, const struct question *q)
{
	for (size_t i = 0; i < r->answer_count; i++) {
		const struct recorded_answer *a = &r->answers[i];
		uint16_t type = q->kind == QUESTION_STORE ? (uint16_t)q->store.op : q->type;
		bool of_asker = q->kind != QUESTION_STORE || slice_eq(a->asker, slice_str(q->asker));
		if (a->kind == q->kind && a->type == type && of_asker && slice_eq(a->name, q->name))
			return &a->answer;
	}
	return NULL;
}
