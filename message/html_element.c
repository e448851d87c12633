#include "message/html_element.h"

/* In order of names. */
static const struct html_element elements[] = {
	{ .name = "a", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE, .uri = "href" },
	{ .name = "abbr", .flags = ELEMENT_VALID },
	{ .name = "acronym", .flags = ELEMENT_VALID },
	{ .name = "address", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "applet", .flags = ELEMENT_VALID },
	{ .name = "area", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "href" },
	{ .name = "article", .flags = ELEMENT_BLOCK },
	{ .name = "aside", .flags = ELEMENT_BLOCK },
	{ .name = "audio", .uri = "src" },
	{ .name = "b", .flags = ELEMENT_VALID },
	{ .name = "base", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "href" },
	{ .name = "basefont", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_VOID },
	{ .name = "bdo", .flags = ELEMENT_VALID },
	{ .name = "bgsound", .flags = ELEMENT_TRICK | ELEMENT_VOID, .uri = "src" },
	{ .name = "big", .flags = ELEMENT_VALID | ELEMENT_STYLES },
	{ .name = "blockquote", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_PARAGRAPH },
	{ .name = "body", .flags = ELEMENT_VALID | ELEMENT_STYLES, .uri = "background" },
	{ .name = "br", .flags = ELEMENT_VALID | ELEMENT_VOID, .space = SPACE_LINE },
	{ .name = "button", .flags = ELEMENT_VALID, .uri = "formaction" },
	{ .name = "canvas" },
	{ .name = "caption", .flags = ELEMENT_VALID },
	{ .name = "center", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "cite", .flags = ELEMENT_VALID },
	{ .name = "code", .flags = ELEMENT_VALID },
	{ .name = "col", .flags = ELEMENT_VALID | ELEMENT_VOID },
	{ .name = "colgroup", .flags = ELEMENT_VALID },
	{ .name = "datalist", .flags = ELEMENT_UNSEEN },
	{ .name = "dd", .flags = ELEMENT_VALID, .space = SPACE_SPACE },
	{ .name = "del", .flags = ELEMENT_VALID },
	{ .name = "details", .flags = ELEMENT_BLOCK },
	{ .name = "dfn", .flags = ELEMENT_VALID },
	{ .name = "dialog", .flags = ELEMENT_BLOCK },
	{ .name = "dir", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "div", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE | ELEMENT_BLOCK,
	  .space = SPACE_LINE },
	{ .name = "dl", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "dt", .flags = ELEMENT_VALID, .space = SPACE_SPACE },
	{ .name = "em", .flags = ELEMENT_VALID },
	{ .name = "embed", .flags = ELEMENT_TRICK | ELEMENT_VOID, .space = SPACE_SPACE, .uri = "src" },
	{ .name = "fieldset", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "figcaption", .flags = ELEMENT_BLOCK },
	{ .name = "figure", .flags = ELEMENT_BLOCK },
	{ .name = "font", .flags = ELEMENT_VALID | ELEMENT_STYLES },
	{ .name = "footer", .flags = ELEMENT_BLOCK },
	{ .name = "form", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .uri = "action" },
	{ .name = "frame", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "src" },
	{ .name = "frameset", .flags = ELEMENT_VALID },
	{ .name = "h1", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_SPACE },
	{ .name = "h2", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_SPACE },
	{ .name = "h3", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_SPACE },
	{ .name = "h4", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_SPACE },
	{ .name = "h5", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_SPACE },
	{ .name = "h6", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_SPACE },
	{ .name = "head", .flags = ELEMENT_VALID },
	{ .name = "header", .flags = ELEMENT_BLOCK },
	{ .name = "hgroup", .flags = ELEMENT_BLOCK },
	{ .name = "hr", .flags = ELEMENT_VALID | ELEMENT_VOID | ELEMENT_BLOCK, .space = SPACE_PARAGRAPH },
	{ .name = "html", .flags = ELEMENT_VALID },
	{ .name = "i", .flags = ELEMENT_VALID },
	{ .name = "iframe", .flags = ELEMENT_VALID, .uri = "src" },
	{ .name = "img", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "src" },
	{ .name = "input", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "src" },
	{ .name = "ins", .flags = ELEMENT_VALID },
	{ .name = "isindex", .flags = ELEMENT_VALID | ELEMENT_VOID },
	{ .name = "kbd", .flags = ELEMENT_VALID },
	{ .name = "keygen", .flags = ELEMENT_VOID },
	{ .name = "label", .flags = ELEMENT_VALID },
	{ .name = "legend", .flags = ELEMENT_VALID },
	{ .name = "li", .flags = ELEMENT_VALID, .space = SPACE_SPACE },
	{ .name = "link", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "href" },
	{ .name = "listing", .flags = ELEMENT_TRICK | ELEMENT_BLOCK, .space = SPACE_PARAGRAPH },
	{ .name = "main", .flags = ELEMENT_BLOCK },
	{ .name = "map", .flags = ELEMENT_VALID },
	{ .name = "mark" },
	{ .name = "marquee", .flags = ELEMENT_STYLES },
	{ .name = "menu", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "meta", .flags = ELEMENT_VALID | ELEMENT_VOID, .uri = "content" },
	{ .name = "nav", .flags = ELEMENT_BLOCK },
	{ .name = "nobr", .flags = ELEMENT_VALID },
	{ .name = "noembed", .flags = ELEMENT_UNSEEN },
	{ .name = "noframes", .flags = ELEMENT_VALID | ELEMENT_UNSEEN },
	{ .name = "noscript", .flags = ELEMENT_VALID },
	{ .name = "object", .flags = ELEMENT_VALID, .uri = "data" },
	{ .name = "ol", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "optgroup", .flags = ELEMENT_VALID },
	{ .name = "option", .flags = ELEMENT_VALID },
	{ .name = "p", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE | ELEMENT_BLOCK,
	  .space = SPACE_PARAGRAPH },
	{ .name = "param", .flags = ELEMENT_VALID | ELEMENT_VOID },
	{ .name = "picture" },
	{ .name = "plaintext", .flags = ELEMENT_TRICK | ELEMENT_BLOCK, .space = SPACE_PARAGRAPH },
	{ .name = "pre", .flags = ELEMENT_VALID | ELEMENT_BLOCK, .space = SPACE_PARAGRAPH },
	{ .name = "q", .flags = ELEMENT_VALID },
	{ .name = "s", .flags = ELEMENT_VALID },
	{ .name = "samp", .flags = ELEMENT_VALID },
	{ .name = "script", .flags = ELEMENT_VALID | ELEMENT_UNSEEN, .uri = "src" },
	{ .name = "search", .flags = ELEMENT_BLOCK },
	{ .name = "section", .flags = ELEMENT_BLOCK },
	{ .name = "select", .flags = ELEMENT_VALID },
	{ .name = "small", .flags = ELEMENT_VALID | ELEMENT_STYLES },
	{ .name = "source", .flags = ELEMENT_VOID, .uri = "src" },
	{ .name = "span", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE },
	{ .name = "strike", .flags = ELEMENT_VALID },
	{ .name = "strong", .flags = ELEMENT_VALID },
	{ .name = "style", .flags = ELEMENT_VALID | ELEMENT_UNSEEN },
	{ .name = "sub", .flags = ELEMENT_VALID },
	{ .name = "summary", .flags = ELEMENT_BLOCK },
	{ .name = "sup", .flags = ELEMENT_VALID },
	{ .name = "svg" },
	{ .name = "table", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE | ELEMENT_BLOCK,
	  .uri = "background" },
	{ .name = "tbody", .flags = ELEMENT_VALID },
	{ .name = "td", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE, .space = SPACE_SPACE,
	  .uri = "background" },
	{ .name = "template", .flags = ELEMENT_UNSEEN },
	{ .name = "textarea", .flags = ELEMENT_VALID },
	{ .name = "tfoot", .flags = ELEMENT_VALID },
	{ .name = "th", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE, .space = SPACE_SPACE,
	  .uri = "background" },
	{ .name = "thead", .flags = ELEMENT_VALID },
	{ .name = "time" },
	{ .name = "title", .flags = ELEMENT_VALID | ELEMENT_UNSEEN, .space = SPACE_PARAGRAPH },
	{ .name = "tr", .flags = ELEMENT_VALID | ELEMENT_STYLES | ELEMENT_TAKES_STYLE, .uri = "background" },
	{ .name = "track", .flags = ELEMENT_VOID },
	{ .name = "tt", .flags = ELEMENT_VALID },
	{ .name = "u", .flags = ELEMENT_VALID },
	{ .name = "ul", .flags = ELEMENT_VALID | ELEMENT_BLOCK },
	{ .name = "var", .flags = ELEMENT_VALID },
	{ .name = "video", .uri = "src" },
	{ .name = "wbr", .flags = ELEMENT_VOID },
	{ .name = "x-sigsep", .flags = ELEMENT_VALID },
	{ .name = "x-tab", .flags = ELEMENT_VALID },
	{ .name = "xmp", .flags = ELEMENT_TRICK | ELEMENT_BLOCK, .space = SPACE_PARAGRAPH },
};
#define ELEMENTS (sizeof(elements) / sizeof(*elements))
_Static_assert(ELEMENTS <= HTML_ELEMENTS_MAX, "more elements than their users have room for");

const struct html_element *html_element_find(struct slice name)
{
	size_t low = 0, high = ELEMENTS;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = slice_cmp(name, slice_str(elements[mid].name));
		if (c == 0)
			return &elements[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

size_t html_element_index(const struct html_element *element)
{
	return (size_t)(element - elements);
}

const char *html_element_name(size_t index)
{
	return index < ELEMENTS ? elements[index].name : "";
}
