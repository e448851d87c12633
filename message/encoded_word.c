#include "message/encoded_word.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "message/charset.h"
#include "message/message.h"
#include "message/transfer_encoding.h"

/* Offset of the two characters a and b from `from` on, SLICE_NPOS if there are none. */
static size_t find_pair(struct slice s, size_t from, char a, char b)
{
	while (from + 1 < s.len) {
		size_t at = slice_chr(slice_from(s, from), a);
		if (at == SLICE_NPOS || from + at + 1 >= s.len)
			break;
		if (s.data[from + at + 1] == b)
			return from + at;
		from += at + 1;
	}
	return SLICE_NPOS;
}

struct word {
	struct slice charset;
	char encoding;          /* 'b' or 'q' */
	struct slice text;
	size_t len;             /* of all of it, from "=?" to "?=" */
};

struct decoder {
	struct arena *arena;
	struct buf out;
	struct slice charset;   /* of pending */
	struct buf pending;     /* octets of adjacent words in one charset: a character may be split among them */
	size_t closer;          /* offset of the next "?=" known of, SLICE_NPOS: none more */
};

static size_t find_closer(struct decoder *d, struct slice text, size_t from)
{
	if (d->closer != SLICE_NPOS && d->closer < from)
		d->closer = find_pair(text, from, '?', '=');
	return d->closer;
}

static bool is_charset_char(char c)
{
	return (unsigned char)c > ' ' && c != '?' && c != '=' && (unsigned char)c < 0x7f;
}

/* An encoded word at `at`, where "=?" stands. */
static bool parse_word(struct decoder *d, struct slice text, size_t at, struct word *word)
{
	size_t i = at + 2, begin = i;
	while (i < text.len && is_charset_char(text.data[i]))
		i++;
	word->charset = slice_sub(text, begin, i - begin);
	if (i == begin || i + 3 > text.len || text.data[i] != '?' || text.data[i + 2] != '?')
		return false;
	word->encoding = ascii_lower(text.data[i + 1]);
	if (word->encoding != 'b' && word->encoding != 'q')
		return false;
	begin = i + 3;
	size_t end = find_closer(d, text, begin);
	if (end == SLICE_NPOS)
		return false;
	word->text = slice_sub(text, begin, end - begin);
	word->len = end + 2 - at;
	/* A word that was never closed, before one that is. */
	return find_pair(word->text, 0, '=', '?') == SLICE_NPOS;
}

static void flush(struct decoder *d)
{
	if (d->pending.len > 0)
		buf_add_slice(&d->out, charset_to_utf8_as_said(d->arena, arena_copy(d->arena, buf_slice(&d->pending)),
							       d->charset, NULL));
	buf_clear(&d->pending);
}

static void add_word(struct decoder *d, const struct word *word)
{
	struct decoded_bytes bytes = word->encoding == 'b' ? base64_decode(d->arena, word->text) :
		qp_decode(d->arena, word->text, true);
	if (!slice_eq_nocase(word->charset, d->charset))
		flush(d);
	d->charset = word->charset;
	buf_add_slice(&d->pending, bytes.bytes);
}

static bool is_blank(struct slice s)
{
	return slice_trim(s).len == 0;
}

static void decode_words(struct decoder *d, struct slice text)
{
	size_t done = 0, at = 0;
	bool after_word = false;
	while (at < text.len) {
		at = find_pair(text, at, '=', '?');
		if (at == SLICE_NPOS)
			break;
		struct word word;
		if (!parse_word(d, text, at, &word)) {
			at += 2;
			continue;
		}
		struct slice between = slice_sub(text, done, at - done);
		if (!after_word || !is_blank(between)) {
			flush(d);
			buf_add_slice(&d->out, between);
		}
		add_word(d, &word);
		after_word = true;
		at += word.len;
		done = at;
	}
	flush(d);
	buf_add_slice(&d->out, slice_from(text, done));
}

struct slice encoded_word_decode(struct arena *arena, struct slice text)
{
	text = charset_to_utf8(arena, text, SLICE("utf-8"), NULL);
	if (find_pair(text, 0, '=', '?') == SLICE_NPOS)
		return text;
	struct decoder d = { .arena = arena };
	decode_words(&d, text);
	struct slice out = arena_copy(arena, buf_slice(&d.out));
	buf_free(&d.out);
	buf_free(&d.pending);
	return out;
}

/* Structured fields in which an encoded word can't stand (RFC 2047 5). */
static const struct slice not_text[] = {
	{ "Received", 8 }, { "Message-ID", 10 }, { "Resent-Message-ID", 17 }, { "Date", 4 }, { "Resent-Date", 11 },
	{ "MIME-Version", 12 }, { "References", 10 }, { "In-Reply-To", 11 },
};

static bool holds_text(struct slice name)
{
	for (size_t i = 0; i < sizeof(not_text) / sizeof(*not_text); i++)
		if (slice_eq_nocase(name, not_text[i]))
			return false;
	return !slice_starts_nocase(name, SLICE("List-"));
}

/* Each fold is one space, however long its white space. */
static struct slice unfold_to_space(struct arena *arena, struct slice value)
{
	value = slice_trim(value);
	if (slice_chr(value, '\n') == SLICE_NPOS)
		return value;
	char *out = arena_alloc(arena, value.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '\r' && i + 1 < value.len && value.data[i + 1] == '\n')
			continue;
		if (value.data[i] != '\n') {
			out[len++] = value.data[i];
			continue;
		}
		size_t after = i + 1;
		while (after < value.len && (value.data[after] == ' ' || value.data[after] == '\t'))
			after++;
		if (after > i + 1)
			out[len++] = ' ';
		i = after - 1;
	}
	return slice_make(out, len);
}

struct slice header_decode(struct arena *arena, struct slice name, struct slice value)
{
	value = unfold_to_space(arena, value);
	if (holds_text(name))
		return encoded_word_decode(arena, value);
	return charset_to_utf8(arena, value, SLICE("utf-8"), NULL);
}

/* ---- writing ---- */

/* So many octets are 60 characters of base64, and make a word of 72. */
#define WORD_OCTETS 45

static bool is_written_plainly(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			return false;
	return slice_find(text, SLICE("=?")) == SLICE_NPOS;
}

static void add_base64(struct buf *out, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < s.len; i += 3) {
		size_t left = s.len - i;
		uint32_t bits = (uint32_t)(unsigned char)s.data[i] << 16;
		bits |= left > 1 ? (uint32_t)(unsigned char)s.data[i + 1] << 8 : 0;
		bits |= left > 2 ? (unsigned char)s.data[i + 2] : 0;
		buf_add_char(out, digits[bits >> 18]);
		buf_add_char(out, digits[bits >> 12 & 63]);
		buf_add_char(out, left > 1 ? digits[bits >> 6 & 63] : '=');
		buf_add_char(out, left > 2 ? digits[bits & 63] : '=');
	}
}

void encoded_word_add(struct buf *out, struct slice text, const char *fold)
{
	if (is_written_plainly(text)) {
		buf_add_slice(out, text);
		return;
	}
	for (struct slice piece; text.len > 0; text = slice_from(text, piece.len)) {
		piece = utf8_cut(text, WORD_OCTETS); /* a word holds whole characters: RFC 2047 5 */
		if (piece.len == 0)
			piece = slice_head(text, 1);
		buf_add_str(out, "=?UTF-8?B?");
		add_base64(out, piece);
		buf_add_str(out, "?=");
		if (piece.len < text.len)
			buf_add_str(out, fold);
	}
}
