#include "message/html_color.h"

struct color_name {
	const char *name;
	int32_t rgb;
};

/* CSS Color Module 4, 6.1. In order. */
static const struct color_name color_names[] = {
	{ "aliceblue", 0xf0f8ff }, { "antiquewhite", 0xfaebd7 }, { "aqua", 0x00ffff }, { "aquamarine", 0x7fffd4 },
	{ "azure", 0xf0ffff }, { "beige", 0xf5f5dc }, { "bisque", 0xffe4c4 }, { "black", 0x000000 },
	{ "blanchedalmond", 0xffebcd }, { "blue", 0x0000ff }, { "blueviolet", 0x8a2be2 }, { "brown", 0xa52a2a },
	{ "burlywood", 0xdeb887 }, { "cadetblue", 0x5f9ea0 }, { "chartreuse", 0x7fff00 }, { "chocolate", 0xd2691e },
	{ "coral", 0xff7f50 }, { "cornflowerblue", 0x6495ed }, { "cornsilk", 0xfff8dc }, { "crimson", 0xdc143c },
	{ "cyan", 0x00ffff }, { "darkblue", 0x00008b }, { "darkcyan", 0x008b8b }, { "darkgoldenrod", 0xb8860b },
	{ "darkgray", 0xa9a9a9 }, { "darkgreen", 0x006400 }, { "darkgrey", 0xa9a9a9 }, { "darkkhaki", 0xbdb76b },
	{ "darkmagenta", 0x8b008b }, { "darkolivegreen", 0x556b2f }, { "darkorange", 0xff8c00 }, { "darkorchid",
	  0x9932cc },
	{ "darkred", 0x8b0000 }, { "darksalmon", 0xe9967a }, { "darkseagreen", 0x8fbc8f }, { "darkslateblue",
	  0x483d8b },
	{ "darkslategray", 0x2f4f4f }, { "darkslategrey", 0x2f4f4f }, { "darkturquoise", 0x00ced1 },
	{ "darkviolet", 0x9400d3 }, { "deeppink", 0xff1493 }, { "deepskyblue", 0x00bfff }, { "dimgray", 0x696969 },
	{ "dimgrey", 0x696969 }, { "dodgerblue", 0x1e90ff }, { "firebrick", 0xb22222 }, { "floralwhite", 0xfffaf0 },
	{ "forestgreen", 0x228b22 }, { "fuchsia", 0xff00ff }, { "gainsboro", 0xdcdcdc }, { "ghostwhite", 0xf8f8ff },
	{ "gold", 0xffd700 }, { "goldenrod", 0xdaa520 }, { "gray", 0x808080 }, { "green", 0x008000 },
	{ "greenyellow", 0xadff2f }, { "grey", 0x808080 }, { "honeydew", 0xf0fff0 }, { "hotpink", 0xff69b4 },
	{ "indianred", 0xcd5c5c }, { "indigo", 0x4b0082 }, { "ivory", 0xfffff0 }, { "khaki", 0xf0e68c },
	{ "lavender", 0xe6e6fa }, { "lavenderblush", 0xfff0f5 }, { "lawngreen", 0x7cfc00 }, { "lemonchiffon",
	  0xfffacd },
	{ "lightblue", 0xadd8e6 }, { "lightcoral", 0xf08080 }, { "lightcyan", 0xe0ffff },
	{ "lightgoldenrodyellow", 0xfafad2 }, { "lightgray", 0xd3d3d3 }, { "lightgreen", 0x90ee90 },
	{ "lightgrey", 0xd3d3d3 }, { "lightpink", 0xffb6c1 }, { "lightsalmon", 0xffa07a }, { "lightseagreen",
	  0x20b2aa },
	{ "lightskyblue", 0x87cefa }, { "lightslategray", 0x778899 }, { "lightslategrey", 0x778899 },
	{ "lightsteelblue", 0xb0c4de }, { "lightyellow", 0xffffe0 }, { "lime", 0x00ff00 }, { "limegreen", 0x32cd32 },
	{ "linen", 0xfaf0e6 }, { "magenta", 0xff00ff }, { "maroon", 0x800000 }, { "mediumaquamarine", 0x66cdaa },
	{ "mediumblue", 0x0000cd }, { "mediumorchid", 0xba55d3 }, { "mediumpurple", 0x9370db },
	{ "mediumseagreen", 0x3cb371 }, { "mediumslateblue", 0x7b68ee }, { "mediumspringgreen", 0x00fa9a },
	{ "mediumturquoise", 0x48d1cc }, { "mediumvioletred", 0xc71585 }, { "midnightblue", 0x191970 },
	{ "mintcream", 0xf5fffa }, { "mistyrose", 0xffe4e1 }, { "moccasin", 0xffe4b5 }, { "navajowhite", 0xffdead },
	{ "navy", 0x000080 }, { "oldlace", 0xfdf5e6 }, { "olive", 0x808000 }, { "olivedrab", 0x6b8e23 },
	{ "orange", 0xffa500 }, { "orangered", 0xff4500 }, { "orchid", 0xda70d6 }, { "palegoldenrod", 0xeee8aa },
	{ "palegreen", 0x98fb98 }, { "paleturquoise", 0xafeeee }, { "palevioletred", 0xdb7093 }, { "papayawhip",
	  0xffefd5 },
	{ "peachpuff", 0xffdab9 }, { "peru", 0xcd853f }, { "pink", 0xffc0cb }, { "plum", 0xdda0dd },
	{ "powderblue", 0xb0e0e6 }, { "purple", 0x800080 }, { "rebeccapurple", 0x663399 }, { "red", 0xff0000 },
	{ "rosybrown", 0xbc8f8f }, { "royalblue", 0x4169e1 }, { "saddlebrown", 0x8b4513 }, { "salmon", 0xfa8072 },
	{ "sandybrown", 0xf4a460 }, { "seagreen", 0x2e8b57 }, { "seashell", 0xfff5ee }, { "sienna", 0xa0522d },
	{ "silver", 0xc0c0c0 }, { "skyblue", 0x87ceeb }, { "slateblue", 0x6a5acd }, { "slategray", 0x708090 },
	{ "slategrey", 0x708090 }, { "snow", 0xfffafa }, { "springgreen", 0x00ff7f }, { "steelblue", 0x4682b4 },
	{ "tan", 0xd2b48c }, { "teal", 0x008080 }, { "thistle", 0xd8bfd8 }, { "tomato", 0xff6347 },
	{ "turquoise", 0x40e0d0 }, { "violet", 0xee82ee }, { "wheat", 0xf5deb3 }, { "white", 0xffffff },
	{ "whitesmoke", 0xf5f5f5 }, { "yellow", 0xffff00 }, { "yellowgreen", 0x9acd32 },
};
#define COLOR_NAMES (sizeof(color_names) / sizeof(*color_names))
#define LONGEST_COLOR 24u

static int32_t named_color(struct slice text)
{
	size_t low = 0, high = COLOR_NAMES;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = slice_cmp_nocase(text, slice_str(color_names[mid].name));
		if (c == 0)
			return color_names[mid].rgb;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return COLOR_INVALID;
}

/* "#…": hexadecimal digits of it; three are doubled, others filled or cut. */
static int32_t hex_color(struct slice text)
{
	int digit[6];
	size_t n = 0;
	for (size_t i = 1; i < text.len && n < 6; i++)
		if (ascii_hex(text.data[i]) >= 0)
			digit[n++] = ascii_hex(text.data[i]);
	if (n > 3 && n < 6)
		n = 3;
	while (n % 3 != 0)
		digit[n++] = 0;
	if (n == 0)
		return COLOR_INVALID;
	if (n == 3)
		return digit[0] * 0x110000 + digit[1] * 0x1100 + digit[2] * 0x11;
	return digit[0] << 20 | digit[1] << 16 | digit[2] << 12 | digit[3] << 8 | digit[4] << 4 | digit[5];
}

/* Up to three numbers in text; *percent_r: the first is followed by "%". */
static size_t numbers(struct slice text, unsigned long value[3], bool *percent_r)
{
	size_t n = 0;
	*percent_r = false;
	for (size_t i = 0; i < text.len && n < 3; i++) {
		if (!ascii_is_digit(text.data[i]))
			continue;
		unsigned long v = 0;
		for (; i < text.len && ascii_is_digit(text.data[i]); i++)
			v = v > 100000 ? v : v * 10 + (unsigned long)(text.data[i] - '0');
		value[n++] = v;
		if (i < text.len && text.data[i] == '.') /* the fraction does not count */
			while (i + 1 < text.len && ascii_is_digit(text.data[i + 1]))
				i++;
		*percent_r = *percent_r || (n == 1 && i < text.len && text.data[i] == '%');
	}
	return n;
}

static int32_t rgb_color(struct slice text)
{
	unsigned long v[3] = { 0 };
	bool percent;
	numbers(text, v, &percent);
	for (int i = 0; i < 3; i++) {
		if (percent)
			v[i] = v[i] * 255 / 100;
		if (v[i] > 255)
			v[i] = 255;
	}
	return (int32_t)(v[0] << 16 | v[1] << 8 | v[2]);
}

static double hue_part(double h, double low, double high)
{
	while (h < 0)
		h += 360;
	while (h >= 360)
		h -= 360;
	if (h < 60)
		return low + (high - low) * h / 60;
	return h < 180 ? high : h < 240 ? low + (high - low) * (240 - h) / 60 : low;
}

static int32_t hsl_color(struct slice text)
{
	unsigned long v[3] = { 0 };
	bool percent;
	numbers(text, v, &percent);
	double h = (double)(v[0] % 360), s = (double)(v[1] > 100 ? 100 : v[1]) / 100, l = (double)(v[2] > 100 ?
		100 : v[2]) / 100;
	double high = l < 0.5 ? l * (1 + s) : l + s - l * s, low = 2 * l - high;
	int r = (int)(hue_part(h + 120, low, high) * 255), g = (int)(hue_part(h, low, high) * 255);
	return r << 16 | g << 8 | (int)(hue_part(h - 120, low, high) * 255);
}

int32_t html_color(struct slice text)
{
	text = slice_trim(text);
	int32_t color = text.len <= LONGEST_COLOR ? named_color(text) : COLOR_INVALID;
	if (color != COLOR_INVALID)
		return color;
	if (text.len > 0 && text.data[0] == '#') {
		for (size_t i = 1; i < text.len; i++)
			if (ascii_hex(text.data[i]) < 0 && text.data[i] != '#')
				return COLOR_INVALID;
		return text.len == 1 ? 0 : hex_color(text);
	}
	if (slice_starts_nocase(text, SLICE("rgb(")))
		return rgb_color(text);
	return COLOR_INVALID;
}

static struct slice without_important(struct slice value)
{
	value = slice_trim(value);
	if (slice_ends_nocase(value, SLICE("important"))) {
		struct slice cut = slice_trim_right(slice_head(value, value.len - 9));
		if (slice_ends(cut, SLICE("!")))
			return slice_trim_right(slice_head(cut, cut.len - 1));
	}
	return value;
}

int32_t css_color(struct slice value)
{
	value = without_important(value);
	if (slice_find_nocase(value, SLICE("rgb")) != SLICE_NPOS)
		return rgb_color(value);
	if (slice_starts_nocase(value, SLICE("hsl")))
		return hsl_color(value);
	if (slice_eq_nocase(value, SLICE("inherit")) || slice_eq_nocase(value, SLICE("currentcolor")))
		return COLOR_INHERIT;
	if (slice_eq_nocase(value, SLICE("transparent")))
		return COLOR_TRANSPARENT;
	return html_color(value);
}

/* The next word of a CSS value: parentheses and quotes keep together. False: none left. */
static bool next_word(struct slice *rest, struct slice *word_r, bool *layer_r)
{
	size_t i = 0, depth = 0;
	char quote = '\0';
	*layer_r = false;
	while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == ',')) {
		*layer_r = *layer_r || rest->data[0] == ',';
		*rest = slice_from(*rest, 1);
	}
	for (; i < rest->len; i++) {
		char c = rest->data[i];
		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && (c == ' ' || c == ','))
			break;
	}
	*word_r = slice_head(*rest, i);
	*rest = slice_from(*rest, i);
	return i > 0;
}

int32_t css_background(struct slice value)
{
	struct slice rest = without_important(value), word;
	int32_t color = COLOR_INHERIT;
	bool layer;
	while (next_word(&rest, &word, &layer)) {
		if (layer)
			color = COLOR_INHERIT;
		int32_t c = html_color(word);
		if (color == COLOR_INHERIT && c != COLOR_INVALID)
			color = c;
	}
	return color;
}

/* Distance weighted by how bright each primary looks (ITU-R BT.709); below 12 of 191 it can't be read. */
bool colors_are_close(int32_t a, int32_t b)
{
	double r = 0.2126 * ((a >> 16 & 255) - (b >> 16 & 255));
	double g = 0.7152 * ((a >> 8 & 255) - (b >> 8 & 255));
	double blue = 0.0722 * ((a & 255) - (b & 255));
	return r * r + g * g + blue * blue < 12.0 * 12.0;
}
