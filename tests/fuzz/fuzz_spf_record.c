/*
 * An SPF record, checked and evaluated. Every domain has it, and every name
 * some addresses, MX and PTR records: so includes and redirects go round.
 * The evaluation must end within its limits.
 */
#include <stdlib.h>

#include "filters/spf_check.h"
#include "filters/spf_record.h"
#include "filters/spf_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MX_COUNT 3
#define QUESTIONS_MAX (1 + 10 + 10 + 10 * MX_COUNT + 1 + 10 + 1)

static void need(bool condition)
{
	if (!condition)
		abort();
}

/* TXT rdata: strings of at most 255 octets. */
static struct slice txt_rdata(struct arena *arena, struct slice text)
{
	char *out = arena_alloc(arena, text.len + text.len / 255 + 1);
	size_t len = 0;
	for (size_t at = 0; at == 0 || at < text.len; at += 255) {
		struct slice part = slice_sub(text, at, 255);
		out[len++] = (char)part.len;
		memcpy(out + len, part.data, part.len);
		len += part.len;
	}
	return slice_make(out, len);
}

static struct answer answer_to(const struct question *q, struct slice *txt)
{
	static struct slice addresses[] = { { "\xc0\x00\x02\x01", 4 }, { "\xc0\x00\x02\x02", 4 } };
	static struct slice mx[MX_COUNT] = {
		{ "\0\1\1a\3org", 9 }, { "\0\1\1b\3org", 9 }, { "\0\1\1c\3org", 9 },
	};
	static struct slice ptr = { "\1h\3org", 7 };
	if (q->name.len % 7 == 3)
		return (struct answer){ .status = q->name.len % 2 ? ANSWER_NXDOMAIN : ANSWER_TEMPERROR };
	switch (q->type) {
	case DNS_TXT: return (struct answer){ .count = 1, .records = txt };
	case DNS_A: return (struct answer){ .count = 2, .records = addresses };
	case DNS_MX: return (struct answer){ .count = MX_COUNT, .records = mx };
	case DNS_PTR: return (struct answer){ .count = 1, .records = &ptr };
	default: return (struct answer){ .status = ANSWER_NODATA };
	}
}

static void evaluate(struct slice record, const char *client)
{
	struct arena *arena = arena_create();
	struct questions *qs = questions_create(arena);
	struct slice txt = txt_rdata(arena, record);
	struct spf_request request = { .helo = SLICE("h.org"), .limits = spf_default_limits, .needed = PHASE_MAIL };
	struct question *q;
	need(ip_parse(slice_str(client), &request.client));
	spf_request_mail_from(&request, SLICE("joe.doe+x@example.org"));
	struct spf_check *check = spf_check_begin(arena, qs, &spf_native, &request);
	while (spf_check_step(check) == STEP_NEED) {
		q = questions_next(qs);
		need(q != NULL);
		struct answer answer = answer_to(q, &txt);
		question_answer(qs, q->index, &answer);
	}
	need(spf_check_outcome(check)->fact.result != AUTH_UNKNOWN);
	need(questions_count(qs) <= QUESTIONS_MAX);
	arena_destroy(&arena);
}

/* What comes of a well-formed record is one, and comes to itself. */
static void rewrite(const struct spf_record *record, const char *client, bool networks)
{
	struct arena *arena = arena_create();
	struct ip ip;
	struct spf_record again;
	struct spf_syntax_error error;
	need(ip_parse(slice_str(client), &ip));
	const struct spf_rewriting how = { &ip, SLICE("any-1."), networks };
	struct slice text = spf_rewrite(arena, record, &how);
	need(spf_record_check(text, &again, &error));
	need(slice_eq(spf_rewrite(arena, &again, &how), text));
	arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_make(data, size);
	struct spf_record record;
	struct spf_syntax_error error;
	struct spf_term term;
	if (spf_record_is(text) && spf_record_check(text, &record, &error)) {
		struct slice rest = record.terms;
		while (spf_term_next(&rest, &term))
			need(term.text.data >= text.data && term.text.data + term.text.len <= text.data + text.len);
		rewrite(&record, "192.0.2.9", false);
		rewrite(&record, "2001:db8::9", true);
	}
	evaluate(text, "192.0.2.9");
	evaluate(text, "2001:db8::9");
	return 0;
}
