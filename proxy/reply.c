#include "proxy/reply.h"

#include <stdio.h>

#define LINE_LIMIT 12300 /* of a backend's line: a challenge of AUTH has up to 12288 octets (RFC 4954 4) */
#define LINES_LIMIT 200

/* Up to three digits; returns how many there were. */
static size_t take_number(struct slice s, uint16_t *value_r)
{
	size_t len = 0;
	*value_r = 0;
	while (len < 3 && len < s.len && ascii_is_digit(s.data[len]))
		*value_r = (uint16_t)(*value_r * 10 + (s.data[len++] - '0'));
	return len;
}

bool enhanced_code_parse(struct slice text, struct enhanced_code *code_r, size_t *len_r)
{
	struct enhanced_code code;
	size_t at = 2, n;
	if (text.len < 5 || strchr("245", text.data[0]) == NULL || text.data[0] == '\0' || text.data[1] != '.')
		return false;
	code.class = (uint8_t)(text.data[0] - '0');
	n = take_number(slice_from(text, at), &code.subject);
	at += n;
	if (n == 0 || at >= text.len || text.data[at++] != '.')
		return false;
	n = take_number(slice_from(text, at), &code.detail);
	at += n;
	if (n == 0 || (at < text.len && !ascii_is_space(text.data[at])))
		return false;
	while (at < text.len && ascii_is_space(text.data[at]))
		at++;
	*code_r = code;
	if (len_r != NULL)
		*len_r = at;
	return true;
}

/* ---- writing */

static const char *const neutral_words[] = {
	[2] = "OK", [3] = "Go on", [4] = "Try again later", [5] = "Refused",
};

const char *reply_enhanced_default(unsigned code)
{
	static const char *const by_class[] = { [2] = "2.0.0", [4] = "4.0.0", [5] = "5.0.0" };
	return code >= 200 && code < 600 ? by_class[code / 100] : NULL;
}

/* Takes the next line, of at most room octets, off *rest. */
static struct slice take_piece(struct slice *rest, size_t room)
{
	struct slice reach = slice_head(*rest, room + 1), piece;
	size_t cut = slice_chr(reach, '\n');
	if (cut == SLICE_NPOS && rest->len > room) {
		cut = slice_rchr(reach, ' ');
		if (cut == SLICE_NPOS || cut == 0) {
			piece = slice_head(*rest, room);
			*rest = slice_from(*rest, room);
			return piece;
		}
	}
	piece = slice_head(*rest, cut);
	*rest = cut == SLICE_NPOS ? SLICE_EMPTY : slice_from(*rest, cut + 1);
	if (slice_ends(piece, SLICE("\r")))
		piece.len--;
	return piece;
}

static char printable(char c, bool keep_8bit)
{
	unsigned char u = (unsigned char)c;
	if (c == '\t')
		return ' ';
	return u < ' ' || u == 0x7f || (u > 0x7f && !keep_8bit) ? '?' : c;
}

static void add_printable(struct buf *out, struct slice s, bool keep_8bit)
{
	char *p = buf_reserve(out, s.len);
	for (size_t i = 0; i < s.len; i++)
		p[i] = printable(s.data[i], keep_8bit);
	out->len += s.len;
}

void reply_format(struct buf *out, unsigned code, const char *enhanced, struct slice text)
{
	char digits[16], status[24] = "";
	snprintf(digits, sizeof(digits), "%03u", code % 1000);
	if (enhanced != NULL && digits[0] != '3')
		snprintf(status, sizeof(status), "%s ", enhanced);
	while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	if (text.len == 0 && code >= 200 && code < 600)
		text = slice_str(neutral_words[code / 100]);
	size_t room = REPLY_LINE_MAX - 3 - 1 - strlen(status) - 2;
	do {
		struct slice piece = take_piece(&text, room);
		buf_add(out, digits, 3);
		buf_add_char(out, text.len > 0 ? '-' : ' ');
		buf_add_str(out, status);
		add_printable(out, piece, false);
		buf_add_str(out, "\r\n");
	} while (text.len > 0);
}

void reply_printf(struct buf *out, unsigned code, const char *enhanced, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	reply_format(out, code, enhanced, buf_slice(&text));
	buf_free(&text);
}

const char *reply_enhanced(const struct reply *reply, char out[REPLY_ENHANCED_MAX])
{
	const struct enhanced_code *e = &reply->enhanced;
	if (e->class == 0)
		return reply_enhanced_default(reply->code);
	snprintf(out, REPLY_ENHANCED_MAX, "%u.%u.%u", e->class, e->subject, e->detail);
	return out;
}

void reply_pass_on(struct buf *out, const struct reply *reply)
{
	char enhanced[REPLY_ENHANCED_MAX];
	reply_format(out, reply->code, reply_enhanced(reply, enhanced), reply->text);
}

/* ---- reading */

void reply_parser_init(struct reply_parser *p, const struct reply_limits *limits)
{
	static const struct reply_limits fallback = { .line = LINE_LIMIT, .lines = LINES_LIMIT };
	*p = (struct reply_parser){ .limits = limits ? *limits : fallback };
}

void reply_parser_free(struct reply_parser *p)
{
	buf_free(&p->line);
	buf_free(&p->text);
	*p = (struct reply_parser){ 0 };
}

static enum reply_status nonsense(struct reply_parser *p, const char *problem)
{
	p->problem = problem;
	p->done = true;
	return REPLY_NONSENSE;
}

static void add_text(struct reply_parser *p, struct slice text)
{
	struct enhanced_code e;
	size_t len;
	if (enhanced_code_parse(text, &e, &len) && e.class == p->reply.code / 100) {
		if (p->reply.lines == 0)
			p->reply.enhanced = e;
		text = slice_from(text, len);
	}
	if (p->reply.lines > 0)
		buf_add_char(&p->text, '\n');
	add_printable(&p->text, text, true);
	p->reply.lines++;
}

/* A whole line, without its ending. */
static enum reply_status take_line(struct reply_parser *p, struct slice line)
{
	uint16_t code;
	if (take_number(line, &code) != 3 || code < 200 || code > 599)
		return nonsense(p, "no reply code");
	if (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-')
		return nonsense(p, "no space behind the reply code");
	if (p->reply.lines > 0 && code != p->reply.code)
		return nonsense(p, "reply code changes between lines");
	if (p->reply.lines >= p->limits.lines)
		return nonsense(p, "too many lines");
	p->reply.code = code;
	add_text(p, slice_from(line, 4));
	if (line.len > 3 && line.data[3] == '-')
		return REPLY_MORE;
	p->done = true;
	p->reply.text = buf_slice(&p->text);
	return REPLY_DONE;
}

static void begin(struct reply_parser *p)
{
	p->done = false;
	p->reply = (struct reply){ 0 };
	p->problem = NULL;
	buf_clear(&p->line);
	buf_clear(&p->text);
}

enum reply_status reply_parse(struct reply_parser *p, struct slice in, size_t *consumed_r)
{
	enum reply_status status = REPLY_MORE;
	*consumed_r = 0;
	if (p->done)
		begin(p);
	while (status == REPLY_MORE && *consumed_r < in.len) {
		struct slice rest = slice_from(in, *consumed_r);
		size_t lf = slice_chr(rest, '\n');
		size_t len = lf == SLICE_NPOS ? rest.len : lf;
		if (len > p->limits.line - p->line.len)
			return nonsense(p, "line too long");
		buf_add(&p->line, rest.data, len);
		*consumed_r += len + (lf != SLICE_NPOS);
		if (lf == SLICE_NPOS)
			break;
		struct slice line = buf_slice(&p->line);
		if (slice_ends(line, SLICE("\r")))
			line.len--;
		status = take_line(p, line);
		buf_clear(&p->line);
	}
	return status;
}
