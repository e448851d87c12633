#include "message/html_libxml.h"

#include <libxml/HTMLparser.h>

#define CHUNK 4096 /* octets pushed at once */

struct feed {
	void (*fn)(void *arg, const struct html_token *token);
	void *arg;
	struct html_token token;
	struct arena *scratch; /* attribute values of one tag */
	bool raw;              /* inside script or style */
};

static struct slice text_of(const xmlChar *s)
{
	return slice_str((const char *)s);
}

static void emit(struct feed *f, enum html_token_type type, struct slice name, struct slice text)
{
	f->token.type = type;
	f->token.name = name;
	f->token.text = text;
	f->token.attribute_count = 0;
	f->fn(f->arg, &f->token);
}

static void on_start(void *user, const xmlChar *name, const xmlChar **attributes)
{
	struct feed *f = user;
	f->token.type = HTML_START;
	f->token.text = SLICE_EMPTY;
	arena_reset(f->scratch);
	f->token.name = arena_lower(f->scratch, text_of(name));
	f->token.attribute_count = 0;
	for (size_t i = 0; attributes != NULL && attributes[i] != NULL &&
		f->token.attribute_count < HTML_ATTRIBUTES_MAX;
	     i += 2)
		f->token.attributes[f->token.attribute_count++] = (struct html_attribute){
			.name = arena_lower(f->scratch, text_of(attributes[i])), .value = text_of(attributes[i + 1]),
		};
	f->raw = slice_eq(f->token.name, SLICE("script")) || slice_eq(f->token.name, SLICE("style"));
	f->fn(f->arg, &f->token);
}

static void on_end(void *user, const xmlChar *name)
{
	struct feed *f = user;
	arena_reset(f->scratch);
	f->raw = false;
	emit(f, HTML_END, arena_lower(f->scratch, text_of(name)), SLICE_EMPTY);
}

static void on_characters(void *user, const xmlChar *s, int len)
{
	struct feed *f = user;
	emit(f, f->raw ? HTML_RAW_TEXT : HTML_TEXT, SLICE_EMPTY, slice_make(s, (size_t)len));
}

static void on_comment(void *user, const xmlChar *s)
{
	emit(user, HTML_COMMENT, SLICE_EMPTY, text_of(s));
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	(void)name, (void)external, (void)system;
	emit(user, HTML_DECLARATION, SLICE_EMPTY, SLICE("!doctype"));
}

void html_libxml_parse(struct slice source, void (*fn)(void *arg, const struct html_token *token), void *arg)
{
	static xmlSAXHandler handler = {
		.startElement = on_start, .endElement = on_end, .characters = on_characters, .cdataBlock = on_characters,
		.ignorableWhitespace = on_characters, .comment = on_comment, .internalSubset = on_doctype,
	};
	struct feed f = { .fn = fn, .arg = arg, .scratch = arena_create() };
	htmlParserCtxtPtr ctxt = htmlCreatePushParserCtxt(&handler, &f, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
	if (ctxt != NULL) {
		htmlCtxtUseOptions(ctxt, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
				   HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
		while (source.len > 0) {
			struct slice chunk = slice_head(source, CHUNK);
			htmlParseChunk(ctxt, chunk.data, (int)chunk.len, 0);
			source = slice_from(source, chunk.len);
		}
		htmlParseChunk(ctxt, NULL, 0, 1);
		if (ctxt->myDoc != NULL)
			xmlFreeDoc(ctxt->myDoc);
		htmlFreeParserCtxt(ctxt);
	}
	arena_destroy(&f.scratch);
}
