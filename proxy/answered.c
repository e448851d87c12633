#include "proxy/answered.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

/* The reply's words without the enhanced codes that stand before each line. */
static void add_plain_text(struct buf *out, const struct reply *reply)
{
	struct slice line, rest = reply->text;
	while (slice_split(&rest, '\n', &line)) {
		struct enhanced_code code;
		size_t len = 0;
		if (enhanced_code_parse(line, &code, &len))
			line = slice_from(line, len);
		if (out->len > 0)
			buf_add_char(out, '\n');
		buf_add_slice(out, line);
	}
}

static bool is_our_trouble(const struct reply *reply)
{
	return reply->code == 421 || (reply->code >= 500 && reply->code <= 504) || reply->code == 530 ||
	       reply->code == 535 || reply->code < 200 || (reply->code >= 300 && reply->code < 400);
}

static void set_trouble(struct answered *a, const struct reply *reply)
{
	snprintf(a->cause, sizeof(a->cause), "said %u %.*s", reply->code, SLICE_ARG(slice_head(reply->text, 150)));
	buf_add_str(&a->text, DELIVERY_TROUBLE);
	a->outcome = (struct outcome){ .code = 451, .enhanced = "4.3.0", .text = buf_slice(&a->text) };
}

void answered_set(struct answered *a, const struct reply *reply)
{
	buf_clear(&a->text);
	a->cause[0] = '\0';
	if (is_our_trouble(reply)) {
		set_trouble(a, reply);
		return;
	}
	add_plain_text(&a->text, reply);
	a->outcome = (struct outcome){
		.positive = reply_positive(reply), .code = reply->code, .from_backend = true,
		.enhanced = reply_enhanced(reply, a->enhanced), .text = buf_slice(&a->text),
	};
}

void answered_clear(struct answered *a)
{
	buf_free(&a->text);
	*a = (struct answered){ 0 };
}

/* ---- one for each recipient */

void answered_list_free(struct answered_list *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		answered_clear(&answers->list[i]);
	free(answers->list);
	free(answers->outcomes);
	*answers = (struct answered_list){ 0 };
}

void answered_list_begin(struct answered_list *answers, size_t count)
{
	answered_list_free(answers);
	answers->list = xcalloc(count + 1, sizeof(*answers->list));
	answers->outcomes = xcalloc(count + 1, sizeof(*answers->outcomes));
	answers->count = count;
}

void answered_list_overrule(struct answered_list *answers, const struct reply *last)
{
	for (size_t i = 0; i < answers->count; i++)
		if (answers->list[i].outcome.positive)
			answered_set(&answers->list[i], last);
}

const struct outcome *answered_list_outcomes(struct answered_list *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		answers->outcomes[i] = answers->list[i].outcome;
	return answers->outcomes;
}
