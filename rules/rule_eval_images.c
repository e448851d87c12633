/* Eval functions about images that the mail carries, by what their bytes say. */
#include "rules/rule_eval.h"

#define IMAGES_MAX 100u
#define SEGMENTS_MAX 1000u

enum image_kind { IMAGE_GIF, IMAGE_PNG, IMAGE_JPEG, IMAGE_KINDS };
static const char *const kind_names[IMAGE_KINDS] = { "gif", "png", "jpeg" };

struct image {
	enum image_kind kind;
	double width, height;     /* 0: not readable */
	struct slice name;
};

struct eval_images {
	struct image list[IMAGES_MAX];
	size_t count;
};

static double big16(const unsigned char *p)
{
	return (double)(p[0] * 256u + p[1]);
}

static double big32(const unsigned char *p)
{
	return big16(p) * 65536 + big16(p + 2);
}

static void read_gif(struct slice data, struct image *image)
{
	const unsigned char *p = (const unsigned char *)data.data;
	if (data.len >= 10 && (slice_starts(data, SLICE("GIF87a")) || slice_starts(data, SLICE("GIF89a")))) {
		image->width = (double)(p[6] + p[7] * 256u);
		image->height = (double)(p[8] + p[9] * 256u);
	}
}

static void read_png(struct slice data, struct image *image)
{
	const unsigned char *p = (const unsigned char *)data.data;
	if (data.len >= 24 && slice_starts(data, SLICE("\x89PNG\r\n\x1a\n")) && memcmp(p + 12, "IHDR", 4) == 0) {
		image->width = big32(p + 16);
		image->height = big32(p + 20);
	}
}

/* The frame header among the segments before the scan begins. */
static void read_jpeg(struct slice data, struct image *image)
{
	const unsigned char *p = (const unsigned char *)data.data;
	if (!slice_starts(data, SLICE("\xff\xd8")))
		return;
	size_t at = 2;
	for (unsigned n = 0; n < SEGMENTS_MAX && at + 9 <= data.len && p[at] == 0xff; n++) {
		unsigned mark = p[at + 1];
		size_t len = (size_t)big16(p + at + 2);
		if (mark == 0xda || mark == 0xd9 || len < 2)
			return;
		if (mark >= 0xc0 && mark <= 0xcf && mark != 0xc4 && mark != 0xc8 && mark != 0xcc) {
			image->height = big16(p + at + 5);
			image->width = big16(p + at + 7);
			return;
		}
		at += 2 + len;
	}
}

static bool kind_of(struct slice type, enum image_kind *kind_r)
{
	if (slice_eq(type, SLICE("image/gif")))
		*kind_r = IMAGE_GIF;
	else if (slice_eq(type, SLICE("image/png")))
		*kind_r = IMAGE_PNG;
	else if (slice_eq(type, SLICE("image/jpeg")) || slice_eq(type, SLICE("image/jpg")))
		*kind_r = IMAGE_JPEG;
	else
		return false;
	return true;
}

static const struct eval_images *images_of(struct rule_scan *s)
{
	static void (*const readers[IMAGE_KINDS])(struct slice, struct image *) = { read_gif, read_png, read_jpeg };
	struct mime *mime = s->decoded->mime;
	if (s->evals->images != NULL)
		return s->evals->images;
	struct eval_images *all = s->evals->images = arena_new(s->arena, struct eval_images);
	for (size_t i = 0; i < mime->count && all->count < IMAGES_MAX; i++) {
		struct part *part = &mime->parts[i];
		struct image image = { .name = part->name };
		const struct header *h = part_header(part, SLICE("Content-Transfer-Encoding"), 0);
		if (part->children > 0 || part->alternative || !kind_of(part->type, &image.kind) || h == NULL ||
		    !slice_eq_nocase(slice_trim(h->value), SLICE("base64")))
			continue;
		readers[image.kind](part_bytes(mime, part), &image);
		all->list[all->count++] = image;
	}
	return all;
}

static bool is_kind(const struct image *image, struct slice name)
{
	return slice_eq(name, SLICE("all")) || slice_eq(name, slice_str(kind_names[image->kind]));
}

static double count_of(struct rule_scan *s, struct slice kind)
{
	const struct eval_images *all = images_of(s);
	double n = 0;
	for (size_t i = 0; i < all->count; i++)
		n += is_kind(&all->list[i], kind);
	return n;
}

static double pixels_of(struct rule_scan *s, struct slice kind)
{
	const struct eval_images *all = images_of(s);
	double n = 0;
	for (size_t i = 0; i < all->count; i++)
		if (is_kind(&all->list[i], kind))
			n += all->list[i].width * all->list[i].height;
	return n;
}

static double image_count(struct rule_scan *s, const struct rule *rule)
{
	return eval_in_range(rule, 1, count_of(s, eval_arg(rule, 0)));
}

static double pixel_coverage(struct rule_scan *s, const struct rule *rule)
{
	return eval_in_range(rule, 1, pixels_of(s, eval_arg(rule, 0)));
}

static double image_to_text_ratio(struct rule_scan *s, const struct rule *rule)
{
	double pixels = pixels_of(s, eval_arg(rule, 0)), text = (double)s->decoded->body.all.len;
	/* A rawbody rule is asked with what it sees. */
	if (rule->type == RULE_RAWBODY_EVAL)
		text = (double)s->decoded->rawbody.all.len;
	if (pixels <= 0 || text <= 0)
		return 0;
	return eval_in_range(rule, 1, text / pixels) && text / pixels != eval_number(rule, 2, -1);
}

static double image_size_exact(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_images *all = images_of(s);
	for (size_t i = 0; i < all->count; i++)
		if (is_kind(&all->list[i], eval_arg(rule, 0)) && all->list[i].width > 0 &&
		    all->list[i].height == eval_number(rule, 1, -1) && all->list[i].width == eval_number(rule, 2, -1))
			return 1;
	return 0;
}

static double image_size_range(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_images *all = images_of(s);
	for (size_t i = 0; i < all->count; i++) {
		const struct image *im = &all->list[i];
		if (is_kind(im, eval_arg(rule, 0)) && im->width > 0 && im->height > 0 &&
		    im->height >= eval_number(rule, 1, 0) && im->width >= eval_number(rule, 2, 0) &&
		    im->height <= eval_number(rule, 3, 1e300) && im->width <= eval_number(rule, 4, 1e300))
			return 1;
	}
	return 0;
}

static double image_named(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_images *all = images_of(s);
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].width > 0 && slice_eq(all->list[i].name, eval_arg(rule, 0)))
			return 1;
	return 0;
}

const struct eval_function eval_images[] = {
	{ .name = "image_count", .fn = image_count, .min_args = 2, .max_args = 3 },
	{ .name = "pixel_coverage", .fn = pixel_coverage, .min_args = 2, .max_args = 3 },
	{ .name = "image_to_text_ratio", .fn = image_to_text_ratio, .min_args = 3, .max_args = 3 },
	{ .name = "image_size_exact", .fn = image_size_exact, .min_args = 3, .max_args = 3 },
	{ .name = "image_size_range", .fn = image_size_range, .min_args = 3, .max_args = 5 },
	{ .name = "image_named", .fn = image_named, .min_args = 1, .max_args = 1 },
	{ .name = NULL },
};
