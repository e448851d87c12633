/* proxy_protocol: no bytes crash it; what it consumes is there; a header read
 * from its own bytes alone reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct proxy_header h, again;
	enum proxy_status status = proxy_header_parse(in, &h);
	if (status == PROXY_MORE && size > PROXY_HEADER_MAX)
		abort();
	if (status != PROXY_OK)
		return 0;
	if (h.consumed == 0 || h.consumed > size || h.consumed > PROXY_HEADER_MAX)
		abort();
	if (proxy_header_parse(slice_head(in, h.consumed), &again) != PROXY_OK || again.consumed != h.consumed)
		abort();
	if (!h.local && (h.ip.family != again.ip.family || h.port != again.port || h.ip.family == 0))
		abort();
	return 0;
}
