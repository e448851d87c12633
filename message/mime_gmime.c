#include "message/mime_gmime.h"

#include <gmime/gmime.h>
#include <pthread.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "message/mime_tree.h"

static void start(void)
{
	g_mime_init();
}

void mime_gmime_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, start);
}

struct walk {
	struct mime_builder builder;
	struct mime *mime;
	size_t room; /* for parts */
};

static struct part *add_part(struct walk *w, int parent, unsigned depth)
{
	struct part *part = &w->mime->parts[w->mime->count++];
	*part = (struct part){ .parent = parent, .depth = depth, .begin = SIZE_MAX };
	if (parent >= 0)
		w->mime->parts[parent].children++;
	if (depth > w->mime->max_depth)
		w->mime->max_depth = depth;
	return part;
}

/* The fields as GMime has parted them; what they mean is read in one place for both engines. */
static void read_head(struct walk *w, struct part *part, GMimeObject *object, bool digest)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	struct buf text = { 0 };
	for (int i = 0, n = g_mime_header_list_get_count(list); i < n; i++) {
		GMimeHeader *h = g_mime_header_list_get_header_at(list, i);
		struct slice value = slice_str(g_mime_header_get_raw_value(h));
		buf_printf(&text, "%s:", g_mime_header_get_raw_name(h));
		buf_add_slice(&text, value);
		if (!slice_ends(value, SLICE("\n")))
			buf_add_str(&text, "\r\n");
	}
	struct message head = { 0 };
	struct slice kept = arena_copy(w->mime->arena, buf_slice(&text));
	buf_free(&text);
	message_parse(&head, w->mime->arena, message_canonical(w->mime->arena, kept).bytes, w->mime->limits.headers);
	part->headers = head.headers;
	part->header_count = head.header_count;
	mime_read_fields(&w->builder, part, digest);
}

/* Still encoded: GMime's base64 stops at the first padding, mail readers don't. */
static void read_content(struct walk *w, struct part *part, GMimePart *leaf)
{
	GMimeDataWrapper *content = g_mime_part_get_content(leaf);
	GMimeStream *out = g_mime_stream_mem_new();
	if (content != NULL) {
		g_mime_stream_reset(g_mime_data_wrapper_get_stream(content));
		g_mime_stream_write_to_stream(g_mime_data_wrapper_get_stream(content), out);
	}
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(out));
	part->body = arena_copy(w->mime->arena, slice_make(bytes->data, bytes->len));
	part->is_multipart = part->is_message = false;
	g_object_unref(out);
}

/* As deep as the limits allow, no more. */
static void walk(struct walk *w, GMimeObject *object, int parent, unsigned depth, bool digest)
{
	if (object == NULL || w->mime->count == w->room || depth > w->mime->limits.depth)
		return;
	int index = (int)w->mime->count;
	struct part *part = add_part(w, parent, depth);
	read_head(w, part, object, digest);
	if (GMIME_IS_MULTIPART(object)) {
		part->is_multipart = true;
		part->is_attachment = false;
		int count = g_mime_multipart_get_count(GMIME_MULTIPART(object));
		for (int i = 0; i < count; i++)
			walk(w, g_mime_multipart_get_part(GMIME_MULTIPART(object), i), index, depth + 1,
			     slice_eq(w->mime->parts[index].type, SLICE("multipart/digest")));
	} else if (GMIME_IS_MESSAGE_PART(object)) {
		GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		part->is_message = true;
		part->is_attachment = false;
		if (inner != NULL)
			walk(w, g_mime_message_get_mime_part(inner), index, depth + 1, false);
	} else if (GMIME_IS_PART(object)) {
		read_content(w, part, GMIME_PART(object));
	}
}

struct mime *mime_gmime_parse(const struct message *m, const struct mime_limits *limits)
{
	struct mime *mime = arena_new(m->arena, struct mime);
	mime->arena = m->arena;
	mime->limits = *limits;
	mime_gmime_start();
	mime->parts = arena_array(m->arena, struct part, limits->parts);
	mime->cap = limits->parts;
	struct walk w = {
		.builder = { .mime = mime, .message = m, .budget = 4 * m->raw.len + 65536 },
		.mime = mime, .room = limits->parts,
	};
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(m->raw.data ? m->raw.data : "", m->raw.len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	if (message != NULL)
		walk(&w, g_mime_message_get_mime_part(message), -1, 0, false);
	if (mime->count == 0) {
		struct part *part = add_part(&w, -1, 0);
		part->type = SLICE("text/plain");
		part->is_text = part->have_bytes = true;
	}
	mime->parts[0].headers = m->headers;
	mime->parts[0].header_count = m->header_count;
	if (message != NULL)
		g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	return mime;
}
