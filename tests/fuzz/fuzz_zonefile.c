/* Any bytes as a zone file, then every name in it looked up. */
#include <stdint.h>

#include "base/zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_TXT, DNS_CNAME, DNS_MX };
	struct zone *zone = zone_create();
	struct zone_errors errors;
	struct slice rest = slice_make(data, size), word;
	zonefile_parse(zone, rest, &errors);
	while (slice_split(&rest, ' ', &word))
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			zone_lookup(zone, slice_head(word, 300), types[i]);
	zone_destroy(&zone);
	return 0;
}
