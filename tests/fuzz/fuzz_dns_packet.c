/* Any bytes as a DNS response. What comes out must be whole. */
#include <assert.h>
#include <stdint.h>

#include "base/dns_packet.h"
#include "base/wire_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice rdata, uint16_t type)
{
	assert(type != DNS_A || rdata.len == 4);
	assert(type != DNS_AAAA || rdata.len == 16);
	assert((type != DNS_PTR && type != DNS_CNAME) || wire_name_len(rdata) == rdata.len);
	assert(type != DNS_MX || wire_name_len(slice_from(rdata, 2)) == rdata.len - 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_TXT, DNS_CNAME, DNS_MX, DNS_PTR, DNS_SOA };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct arena *arena = arena_create();
		struct answer a = dns_packet_read(arena, slice_make(data, size), types[i]);
		assert((a.status == ANSWER_FOUND) == (a.count > 0));
		assert((a.status == ANSWER_TEMPERROR) == (a.why != NULL));
		for (size_t n = 0; n < a.count; n++)
			check(a.records[n], types[i]);
		arena_destroy(&arena);
	}
	return 0;
}
