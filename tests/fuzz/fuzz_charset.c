/* Charsets: a label by the first octet, the rest as text; what comes out is UTF-8. */
#include <stdlib.h>

#include "base/utf8.h"
#include "message/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const labels[] = {
	"", "us-ascii", "utf-8", "iso-8859-1", "windows-1256", "koi8-r", "kz-1048", "gb2312", "big5", "shift_jis",
		"euc-jp",
	"iso-2022-jp", "iso-2022-kr", "euc-kr", "hz-gb-2312", "utf-7", "utf-16", "utf-32", "windows-1258", "tcvn",
		"euc-tw",
	"iso-2022-cn", "johab", "iso-2022-jp-3", "klingon", "big5-hkscs", "euc-jis-2004", "cp037",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct arena *arena = arena_create();
	struct slice label = slice_str(labels[data[0] % (sizeof(labels) / sizeof(*labels))]);
	struct slice text = slice_make(data + 1, size - 1);
	struct charset_info info;
	if (!utf8_valid(charset_to_utf8(arena, text, label, &info)) || info.used == NULL)
		abort();
	if (!utf8_valid(charset_to_utf8_as_said(arena, text, label, &info)))
		abort();
	charset_find(text);
	arena_destroy(&arena);
	return 0;
}
