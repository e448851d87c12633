#include "message/mime_gmime.h"

#include <gmime/gmime.h>
#include <pthread.h>

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
	struct mime *mime;
	size_t room; /* for parts */
};

static struct slice copied(struct walk *w, const char *s)
{
	return arena_copy(w->mime->arena, slice_str(s));
}

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

/* Type and parameters as GMime has them. */
static void read_head(struct walk *w, struct part *part, GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);
	char *mime_type = g_mime_content_type_get_mime_type(type);
	part->declared_type = part->type = arena_lower(w->mime->arena, slice_str(mime_type));
	g_free(mime_type);
	part->charset = arena_lower(w->mime->arena, slice_str(g_mime_object_get_content_type_parameter(object,
		"charset")));
	part->content_id = copied(w, g_mime_object_get_content_id(object));
	const char *name = g_mime_object_get_content_disposition_parameter(object, "filename");
	part->name = copied(w, name ? name : g_mime_object_get_content_type_parameter(object, "name"));
	if (disposition != NULL)
		part->disposition = arena_lower(w->mime->arena,
						slice_str(g_mime_content_disposition_get_disposition(disposition)));
	part->is_html = slice_eq(part->type, SLICE("text/html"));
	part->is_text = part->is_html || slice_eq(part->type, SLICE("text/plain"));
	part->is_attachment = slice_eq(part->disposition, SLICE("attachment")) || part->name.len > 0 ||
		!slice_starts(part->type, SLICE("text/"));
}

static void read_content(struct walk *w, struct part *part, GMimePart *leaf)
{
	GMimeDataWrapper *content = g_mime_part_get_content(leaf);
	GMimeStream *out = g_mime_stream_mem_new();
	if (content != NULL)
		g_mime_data_wrapper_write_to_stream(content, out);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(out));
	part->bytes = arena_copy(w->mime->arena, slice_make(bytes->data, bytes->len));
	part->have_bytes = true;
	g_object_unref(out);
}

/* As deep as the limits allow, no more. */
static void walk(struct walk *w, GMimeObject *object, int parent, unsigned depth)
{
	if (object == NULL || w->mime->count == w->room || depth > w->mime->limits.depth)
		return;
	int index = (int)w->mime->count;
	struct part *part = add_part(w, parent, depth);
	read_head(w, part, object);
	if (GMIME_IS_MULTIPART(object)) {
		part->is_multipart = true;
		part->is_attachment = false;
		int count = g_mime_multipart_get_count(GMIME_MULTIPART(object));
		for (int i = 0; i < count; i++)
			walk(w, g_mime_multipart_get_part(GMIME_MULTIPART(object), i), index, depth + 1);
	} else if (GMIME_IS_MESSAGE_PART(object)) {
		GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		part->is_message = true;
		part->is_attachment = false;
		if (inner != NULL)
			walk(w, g_mime_message_get_mime_part(inner), index, depth + 1);
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
	struct walk w = { .mime = mime, .room = limits->parts };
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(m->raw.data ? m->raw.data : "", m->raw.len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	if (message != NULL)
		walk(&w, g_mime_message_get_mime_part(message), -1, 0);
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
