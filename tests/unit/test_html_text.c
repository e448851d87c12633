#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/html_color.h"
#include "message/html_entity.h"
#include "message/html_text.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct text_case {
	const char *name, *html, *visible, *hidden;
	unsigned why;
};

static const struct text_case texts[] = {
	{ "plain", "hello  <b>world</b>", "hello world", "", 0 },
	{ "breaks", "a<br>b<br/>c<p>d</p>e", "a\nb\nc\n\nd\n\ne", "", 0 },
	{ "cells", "<table><tr><td>a<td>b<tr><td>c</table>", " a b c", "", 0 },
	{ "entities", "&lt;a&gt; &amp; &eacute;&#233;&#xE9; &copy &nosuch; &#x1F600;", "<a> & ééé © &nosuch; 😀",
	  "", 0 },
	{ "no-break space", "a&nbsp;&nbsp;b", "a b", "", 0 },
	{ "Persian", "<p dir=rtl>سلام&zwnj;ها</p>", "\n\nسلام\xe2\x80\x8cها\n\n", "", 0 },
	{ "comment", "a<!-- b -->c<!-->d<!--->e<!-- x --!>f", "acdef", "", 0 },
	{ "comment never closed", "a<!-- b", "a", "", 0 },
	{ "conditional comment", "a<![if !mso]>b<![endif]>c", "abc", "", 0 },
	{ "script and style", "a<script>b</script>c<style>d{}</style>e", "ace", "", 0 },
	{ "script never closed", "a<script>b<p>c", "a", "", 0 },
	{ "script end in capitals", "a<script>b</SCRIPT >c", "ac", "", 0 },
	{ "less-than as text", "1 < 2 <3 and </ x", "1 < 2 <3 and </ x", "", 0 },
	{ "tag never closed", "a<b href=\"x", "a", "", 0 },
	{ "title", "<title>t</title>x", "\n\n\n\nx", "t", HTML_HIDDEN_DISPLAY },
	{ "display", "a<span style='display:none'>b</span>c", "ac", "b", HTML_HIDDEN_DISPLAY },
	{ "display, other case", "<DIV STYLE=\"DISPLAY : NONE !important\">b</DIV>c", "\n\nc", "b",
	  HTML_HIDDEN_DISPLAY },
	{ "hidden attribute", "<p hidden>b</p>c", "\n\n\n\nc", "b", HTML_HIDDEN_DISPLAY },
	{ "inside a hidden one", "<div style='display:none'><p>b<i>c</i></p></div>d", "\n\n\n\n\n\nd", "bc",
	  HTML_HIDDEN_DISPLAY },
	{ "visibility", "<div style='visibility:hidden'>a<b style='visibility:visible'>b</b></div>", "\nb\n", "a",
	  HTML_HIDDEN_VISIBILITY },
	{ "opacity", "<i style='opacity:0'>a</i>", "", "a", HTML_HIDDEN_VISIBILITY },
	{ "size", "<font size=0>a</font><i style='font-size:1px'>b</i><i style='font:0/0 x'>c</i>", "", "abc",
	  HTML_HIDDEN_SIZE },
	{ "small but readable", "<i style='font-size:8px'>a</i><i style='font-size:.8em'>b</i>", "ab", "", 0 },
	{ "white on white", "<font color=white>a</font><font color='#fefefe'>b</font><font color=#888>c</font>",
	  "c", "ab",
	  HTML_HIDDEN_COLOUR },
	{ "white on black", "<td bgcolor=black><font color=white>a", " a", "", 0 },
	{ "black on black", "<div style='background:#000'>a</div>", "\n\n", "a", HTML_HIDDEN_COLOUR },
	{ "on an image", "<div style='background:url(x.png);color:#fff'>a</div>", "\na\n", "", 0 },
	{ "transparent", "<i style='color:transparent'>a</i>", "", "a", HTML_HIDDEN_COLOUR },
	{ "off screen", "<i style='position:absolute;left:-9999px'>a</i><i style='text-indent:-99em'>b</i>", "",
	  "ab",
	  HTML_HIDDEN_OFF_SCREEN },
	{ "no height", "<div style='max-height:0;overflow:hidden'>a</div>", "\n\n", "a", HTML_HIDDEN_MAX_HEIGHT },
	{ "style sheet", "<style>.h,#x{display:none} td.k{font-size:0}</style>"
	  "<i class='a h'>a</i><i id=x>b</i><i class=k>c</i>",
	  "c", "ab", HTML_HIDDEN_DISPLAY },
	{ "media query", "<style>@media (max-width:600px){.h{display:none}} .k{display:none}</style>"
	  "<i class=h>a</i><i class=k>b",
	  "a", "b", HTML_HIDDEN_DISPLAY },
	{ "unknown element", "<foo style='display:none'>a</foo>b", "b", "a", HTML_HIDDEN_DISPLAY },
	{ "paragraph ended by another", "<p style='display:none'>a<p>b", "\n\n\n\nb", "a", HTML_HIDDEN_DISPLAY },
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const struct text_case *t = &texts[i];
		struct arena *arena = arena_create();
		struct html *html = html_render(arena, slice_str(t->html), NULL);
		if (!slice_eq(html->visible, slice_str(t->visible)) || !slice_eq(html->hidden, slice_str(t->hidden)) ||
		    html->facts.hidden != t->why)
			fail_msg("%s: \"%.*s\", hidden \"%.*s\" %x", t->name, SLICE_ARG(html->visible), SLICE_ARG(html->hidden),
				 html->facts.hidden);
		arena_destroy(&arena);
	}
}

struct link_case {
	const char *html, *tag, *uri, *text;
};

static const struct link_case links[] = {
	{ "<a href='http://x.example/'>click <b>here</b></a>", "a", "http://x.example/", "click here" },
	{ "<A HREF=http://x.example/a&amp;b>", "a", "http://x.example/a&b", "" },
	{ "<a href=\" http://x.example \">", "a", "http://x.example", "" },
	{ "<a href=\xe2\x80\x9chttp://x.example\xe2\x80\x9d>", "a", "http://x.example", "" },
	{ "<a href='http://x.example'><img src=y></a>", "a", "http://x.example", "<img>\n" },
	{ "<base href='http://b.example/d/f.html'><img src=i.png>", "img", "http://b.example/d/i.png", "" },
	{ "<form action=//f.example/>", "form", "//f.example/", "" },
	{ "<meta http-equiv=Refresh content='0; URL=http://m.example/'>", "meta", "http://m.example/", "" },
	{ "<td background=http://t.example/>", "td", "http://t.example/", "" },
	{ "<div style=\"background:url('http://s.example/')\">", "style", "http://s.example/", "" },
	{ "<iframe src=http://i.example></iframe>", "iframe", "http://i.example", "" },
	{ "<a/href=http://x.example>", "a", "http://x.example", "" },
	{ "<a\nhref\n=\n'http://x.example'\n>", "a", "http://x.example", "" },
	{ "<a href=mailto:a@b.example?subject=x>", "a", "mailto:a@b.example?subject=x", "" },
	{ "<object data=http://o.example></object>", "object", "http://o.example", "" },
};

static void test_links(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		const struct link_case *t = &links[i];
		struct arena *arena = arena_create();
		struct html *html = html_render(arena, slice_str(t->html), NULL);
		bool found = false;
		for (size_t k = 0; k < html->link_count; k++)
			found = found || (strcmp(html->links[k].tag, t->tag) == 0 && slice_eq(html->links[k].uri,
				slice_str(t->uri)) &&
					  slice_eq(html->links[k].text, slice_str(t->text)));
		if (!found)
			fail_msg("%s: no %s %s; first: %.*s", t->html, t->tag, t->uri,
				 SLICE_ARG(html->link_count ? html->links[0].uri : SLICE("none")));
		arena_destroy(&arena);
	}
}

static void test_facts(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct html *html = html_render(arena, SLICE(
		"<!DOCTYPE html><html><title>a</title><body><font face='x!' size=7>V<b>ia</b>gra</font></i>"
		"<img width=10 height=50%><img src=x width=1 height=1><form action=mailto:x><input type=password>"
		"<nosuch><embed><meta http-equiv=content-type content='text/html; charset=utf-8'>"
		"<font color=white>w</font><font color=nocolor>n</font><script>s</script><!-- c -->"), NULL);
	const struct html_facts *f = &html->facts;
	assert_int_equal(f->image_area, 10 * 300 + 1);
	assert_int_equal(f->images, 2);
	assert_int_equal(f->images_sized_1, 1);
	assert_int_equal(f->forms, 1);
	assert_int_equal(f->password_inputs, 1);
	assert_true(f->form_action_mailto && f->embeds && f->font_face_bad && f->font_low_contrast &&
		f->font_invalid_color);
	assert_true(slice_eq(f->charsets, SLICE("utf-8")));
	assert_int_equal(f->backhair_count, 3); /* V|ia, ia|gra, w|n */
	assert_true(f->max_size > 6.9 && f->closed_extra_ratio > 0 && f->bad_tag_ratio > 0);
	assert_int_equal(html_tag_find(html, SLICE("body"))->open, 1);
	assert_int_equal(html_tag_find(html, SLICE("NOSUCH"))->starts, 1);
	assert_int_equal(html_tag_find(html, SLICE("i"))->open, 0);
	assert_null(html_tag_find(html, SLICE("u")));
	assert_int_equal(html->title_count, 1);
	assert_true(slice_eq(html->scripts[0], SLICE("s")));
	assert_true(slice_eq(html->comments[0], SLICE(" c ")));
	arena_destroy(&arena);
}

static void test_colors(void **state)
{
	(void)state;
	assert_int_equal(html_color(SLICE(" White ")), 0xffffff);
	assert_int_equal(html_color(SLICE("#abc")), 0xaabbcc);
	assert_int_equal(html_color(SLICE("#12345")), 0x112233);
	assert_int_equal(html_color(SLICE("#1234567")), 0x123456);
	assert_int_equal(html_color(SLICE("ff0000")), COLOR_INVALID);
	assert_int_equal(html_color(SLICE("")), COLOR_INVALID);
	assert_int_equal(html_color(SLICE("#ggg")), COLOR_INVALID);
	assert_int_equal(css_color(SLICE("rgba(255, 0, 300, .5)")), 0xff00ff);
	assert_int_equal(css_color(SLICE("rgb(100%, 0%, 0%)")), 0xff0000);
	assert_int_equal(css_color(SLICE("hsl(120, 100%, 50%)")), 0x00ff00);
	assert_int_equal(css_color(SLICE("red !important")), 0xff0000);
	assert_int_equal(css_color(SLICE("transparent")), COLOR_TRANSPARENT);
	assert_int_equal(css_background(SLICE("url(red) no-repeat blue")), 0x0000ff);
	assert_int_equal(css_background(SLICE("red, url(x) blue")), 0x0000ff);
	assert_int_equal(css_background(SLICE("url(x)")), COLOR_INHERIT);
	assert_true(colors_are_close(0xffffff, 0xfefefe));
	assert_false(colors_are_close(0xffffff, 0x888888));
}

static void test_entities(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "&amp;amp;", "&amp;" }, { "&notit;", "¬it;" }, { "&#0;&#xD800;&#x110000;",
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "&#146;&#151;", "’—" }, { "&#65", "A" }, { "&", "&" }, { "&;", "&;" }, { "&#;&#x;", "&#;&#x;" },
		{ "&Afr;&aopf;", "𝔄𝕒" }, { "&#99999999999999999999;", "\xef\xbf\xbd" },
	};
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice got = html_entities_decode(arena, slice_str(cases[i][0]), false);
		if (!slice_eq(got, slice_str(cases[i][1])))
			fail_msg("%s: %.*s", cases[i][0], SLICE_ARG(got));
	}
	assert_true(slice_eq(html_entities_decode(arena, SLICE("?a=1&copy=2&lt;"), true), SLICE("?a=1&copy=2<")));
	arena_destroy(&arena);
}

/* Each of these makes some parser slow. */
static const char *const hostile[] = {
	"<div>", "</div>", "<p>", "<a href=x>", "<b", "<", "<!--", "<!-", "-", "&", "&a", "&#1", "<x ", "a=b ",
		"<table><tr><td>",
	"<font size=+1>", "<style>a{", "<style>", "<script>", "<div style='display:none'>",
		"<a href=http://x.example/>y</a>",
	"<title>", "</x", "<nosuch1>", "<span style='", "a:b;", "<i class=\"a b c\">", "<base href=http://x/>",
		"<img width=1 height=1>",
};

static void test_hostile(void **state)
{
	(void)state;
	double worst = 0;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		struct arena *arena = arena_create();
		struct buf b = { 0 };
		if (i % 2)
			buf_add_str(&b, "<style>.a{color:red}.b{color:blue}div{color:red}</style><span style='");
		while (b.len < 2 << 20)
			buf_add_str(&b, hostile[i]);
		clock_t start = clock();
		html_render(arena, buf_slice(&b), NULL);
		double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		worst = ms > worst ? ms : worst;
		if (ms > 6000 || arena_size(arena) > 700u << 20)
			fail_msg("2 MB of \"%s\": %.0f ms, %zu MB", hostile[i], ms, arena_size(arena) >> 20);
		buf_free(&b);
		arena_destroy(&arena);
	}
	printf("# worst of %zu kinds of hostile HTML, 2 MB each: %.0f ms\n", COUNT(hostile), worst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_colors),
		cmocka_unit_test(test_entities),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
