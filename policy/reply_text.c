#include "policy/reply_text.h"

#include "base/buf.h"

#define VALUE_MAX 200

const char *const reply_names[] = {
	"id", "symbol", "describe", "evidence", "score", "required", "policy", "sender", "recipient", "client", "hostname",
	NULL,
};

/* The next name in braces, taken off *text; false: there is none. */
static bool take_name(struct slice *text, struct slice *name_r)
{
	size_t open = slice_chr(*text, '{');
	size_t close = open == SLICE_NPOS ? open : slice_chr(slice_from(*text, open), '}');
	if (close == SLICE_NPOS)
		return false;
	*name_r = slice_sub(*text, open + 1, close - 1);
	*text = slice_from(*text, open + close + 1);
	return true;
}

struct slice reply_unknown(struct slice text, const char *const *names)
{
	struct slice name;
	while (take_name(&text, &name)) {
		size_t i = 0;
		while (names[i] != NULL && !slice_eq(name, slice_str(names[i])))
			i++;
		if (names[i] == NULL)
			return name;
	}
	return SLICE_EMPTY;
}

static const struct reply_value *find(const struct reply_value *values, struct slice name)
{
	for (; values->name != NULL; values++)
		if (slice_eq(slice_str(values->name), name))
			return values;
	return NULL;
}

static void add_value(struct buf *out, struct slice value)
{
	for (size_t i = 0; i < value.len && i < VALUE_MAX; i++)
		buf_add_char(out, value.data[i] >= ' ' && value.data[i] <= '~' ? value.data[i] : '?');
}

struct slice reply_text(struct arena *arena, struct slice text, const struct reply_value *values)
{
	struct buf out = { 0 };
	while (text.len > 0) {
		size_t open = slice_chr(text, '{');
		size_t close = open == SLICE_NPOS ? open : slice_chr(slice_from(text, open), '}');
		if (close == SLICE_NPOS)
			break;
		const struct reply_value *v = find(values, slice_sub(text, open + 1, close - 1));
		buf_add_slice(&out, slice_head(text, v ? open : open + close + 1));
		if (v != NULL)
			add_value(&out, v->value);
		text = slice_from(text, open + close + 1);
	}
	buf_add_slice(&out, text);
	struct slice made = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return made;
}
