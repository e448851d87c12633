#ifndef GATEHOUSE_BASE_SANDBOX_H
#define GATEHOUSE_BASE_SANDBOX_H
/*
 * sandbox: what a process that reads strangers' mail will never need, it can
 * never do again: execute a program, trace or enter other processes, load into
 * the kernel, mount (seccomp); write, make or remove a file outside of the
 * folders named (Landlock, where the kernel has it). Reading stays allowed:
 * the resolver, TLS and charset converters read where they like; sockets too:
 * the resolver binds a port for each question.
 *
 * Needs no privilege but no-new-privileges. For good, and for threads begun
 * later: enter before there are any.
 */
#include "base/slice.h"

enum sandbox_part { SANDBOX_CALLS = 1 << 0, SANDBOX_FILES = 1 << 1 };

/* writable: folders; of one that isn't there the nearest that is. Returns what
 * holds now; what is missing, error says why. Under a sanitizer nothing is
 * done, for its own sake: 0, with an empty error. */
unsigned sandbox_enter(const struct slice *writable, size_t count, char error[200]);

#endif
