/* The configuration's text: whatever it is, it is read or refused with an
 * error; what is read says the same when it is read again from settings_text(). */
#include <stdlib.h>

#include "policy/config.h"
#include "policy/config_tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static struct config *read_text(struct arena *arena, struct slice text, struct config_errors *errors)
{
	*errors = (struct config_errors){ .arena = arena };
	struct config *config = config_read(arena, "-", text, NULL, errors);
	must((config != NULL) == (errors->total == 0));
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice text = slice_make(data, size);
	struct config_errors errors;
	struct config *config = NULL;
	/* Files of this machine are not the input's. */
	if (slice_find_nocase(text, SLICE("include")) == SLICE_NPOS)
		config = read_text(arena, text, &errors);
	if (config != NULL) {
		struct slice shipped = settings_text(config->file);
		struct config *again = read_text(arena, shipped, &errors);
		must(again != NULL);
		must(slice_eq(settings_text(again->file), shipped));
		must(slice_eq(again->top->greeting, config->top->greeting));
		must(again->limits->message_size == config->limits->message_size);
		must(again->backend_count == config->backend_count);
		config_warnings(config, &errors);
	}
	arena_destroy(&arena);
	return 0;
}
