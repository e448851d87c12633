#include "proxy/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "filters/registry.h"
#include "policy/config.h"
#include "proxy/commands.h"
#include "proxy/rules_setup.h"
#include "proxy/tls.h"

#define COMPILER_FD_OUT 3 /* spawn_self's first */

static void report(const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *e = &errors->list[i];
		if (e->line > 0)
			fprintf(stderr, "%.*s:%u: %.*s\n", SLICE_ARG(e->file), e->line, SLICE_ARG(e->message));
		else
			fprintf(stderr, "%.*s: %.*s\n", SLICE_ARG(e->file), SLICE_ARG(e->message));
	}
}

/*
 * A certificate that can't be used is found here, not in a worker. One whose
 * time is over is refused if there is a configuration that may stay in force
 * instead; at the start mail comes first.
 */
static void check_tls(const struct config *config, bool first, struct config_errors *errors)
{
	struct config_errors dated = { .arena = errors->arena };
	tls_check(config, errors, first ? &dated : errors);
	report(&dated);
}

static int write_checked(struct arena *arena, const char *path, bool first, int out)
{
	struct config_errors errors = { .arena = arena };
	struct config *config = config_read(arena, path, SLICE_EMPTY, filter_sections(), &errors);
	if (config != NULL)
		check_tls(config, first, &errors);
	report(&errors);
	if (config == NULL || errors.count > 0)
		return EX_CONFIG;
	struct identity identity;
	if (!identity_find(config->top->user, &identity)) {
		fprintf(stderr, "%s: user = %.*s: there is no such user\n", path, SLICE_ARG(config->top->user));
		return EX_CONFIG;
	}
	identity_assume(&identity);
	struct ruleset *rules = rules_setup(config, &errors);
	ruleset_release(&rules);
	if (errors.count > 0) {
		report(&errors);
		return EX_CONFIG;
	}
	struct slice text = settings_text(config->file);
	return write(out, text.data, text.len) == (ssize_t)text.len ? 0 : EX_OSERR;
}

static int compile(const char *path, bool first, int out)
{
	struct arena *arena = arena_create();
	int status = write_checked(arena, path, first, out);
	arena_destroy(&arena);
	return status;
}

pid_t compiler_start(const char *path, bool first, int *out_r)
{
	int out = memfd_create("gatehouse-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (out < 0)
		return -1;
	char *argv[] = { (char *)"gatehouse", (char *)"compiler", (char *)(uintptr_t)path,
			 first ? (char *)"first" : NULL, NULL };
	const struct identity as_we_are = { .change = false };
	pid_t pid = spawn_self(&as_we_are, argv, &out, 1);
	int error = errno;
	if (pid < 0)
		close(out);
	*out_r = pid < 0 ? -1 : out;
	errno = error;
	return pid;
}

int compiler_main(int argc, char **argv)
{
	if (argc < 2 || fcntl(COMPILER_FD_OUT, F_GET_SEALS) < 0) {
		fputs("gatehouse compiler is started by gatehouse run\n", stderr);
		return EX_USAGE;
	}
	return compile(argv[1], argc > 2, COMPILER_FD_OUT);
}

pid_t compiler_images_start(int config_fd, const struct identity *identity)
{
	char *argv[] = { (char *)"gatehouse", (char *)"rule-images", NULL };
	return spawn_self(identity, argv, &config_fd, 1);
}

int rule_images_main(int argc, char **argv)
{
	char *text;
	size_t len;
	(void)argv;
	if (argc != 1 || !read_all(COMPILER_FD_OUT, &text, &len)) {
		fputs("gatehouse rule-images is started by gatehouse run\n", stderr);
		return EX_USAGE;
	}
	setpriority(PRIO_PROCESS, 0, 19);
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = config_read(arena, "-", slice_make(text, len), filter_sections(), &errors);
	free(text);
	struct ruleset *rules = config != NULL ? rules_setup(config, &errors) : NULL;
	bool made = rules != NULL && ruleset_improve(rules, true);
	ruleset_release(&rules);
	arena_destroy(&arena);
	return made ? EX_OK : EX_UNAVAILABLE;
}

bool compiler_finish(int status, int out)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return false;
	fcntl(out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return true;
}
