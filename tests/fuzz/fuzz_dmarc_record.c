/* Any bytes as a DMARC record. */
#include <stdint.h>
#include <stdlib.h>

#include "filters/dmarc_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dmarc_record record;
	const char *why = NULL;
	if (!dmarc_record_parse(slice_make(data, size), &record) || !dmarc_record_settle(&record, &why))
		return 0;
	for (int name = DMARC_OWN; name <= DMARC_NONEXISTENT; name++)
		if (dmarc_record_policy(&record, (enum dmarc_name)name) == DMARC_POLICY_UNSET)
			abort(); /* a settled record always asks for something */
	return 0;
}
