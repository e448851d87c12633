# make            the program, at build/gatehouse
# make run        install what is missing, build, start on loopback with a folder as backend
# make test       everything; make check: the quick tier
# make bench      ratios, never a gate; make bench PART=rules: one of them
# make agreement  our verdicts on rules against SpamAssassin's, 1,000 mails
# make rates      how often each shipped rule hits ham, spam and phish
# make lint fuzz install clean
MAKEFLAGS += --no-builtin-rules
CC = gcc
FUZZ_CC = clang
PYTHON = /usr/bin/python3
FLOORS = base message rules policy filters proxy
VERSION = $(shell sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -1)

# One kind of build per folder: plain, asan (with UBSan), tsan.
KIND ?= plain
B = build$(if $(filter-out plain,$(KIND)),/$(KIND))
SANITIZE_asan = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
SANITIZE_tsan = -fsanitize=thread -O1
SANITIZE_plain = -O2 -D_FORTIFY_SOURCE=2

PACKAGES = libevent libevent_openssl libevent_pthreads openssl libpcre2-8 libhs \
	gmime-3.0 libxml-2.0 icu-uc icu-i18n libidn2 libconfuse lmdb hiredis libseccomp libcap-ng \
	libsystemd libpsl libarchive
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
# No pkg-config file on Debian 12, or one that asks for what is not needed (libunbound's: nettle's headers).
PLAIN_LIBS = -lunbound -lspf2 -lopendkim -lmilter -lmagic -lresolv -lpthread -lm

WARN = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wold-style-definition
CPPFLAGS += -I. -D_GNU_SOURCE -DGATEHOUSE_VERSION='"$(VERSION)"'
CFLAGS += -std=c11 -g $(SANITIZE_$(KIND)) $(WARN) -fPIE -fstack-protector-strong -fno-strict-aliasing
LDFLAGS += -pie -Wl,-z,relro,-z,now $(filter -fsanitize=%,$(SANITIZE_$(KIND)))
LDLIBS = $(PKG_LIBS) $(PLAIN_LIBS)

SRC := $(filter-out proxy/main.c,$(wildcard $(addsuffix /*.c,$(FLOORS))))
OBJ := $(SRC:%.c=$(B)/%.o)
UNIT := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/*.c))
TEST_LIB := $(patsubst %.c,$(B)/%.o,$(wildcard tests/lib/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*.c))

.PHONY: packages-known all run test check bench agreement rates lint fuzz fuzz-build fuzz-lib unit-build install clean deps test-deps docs
.DELETE_ON_ERROR:
all: $(B)/gatehouse

$(B)/gatehouse: $(B)/proxy/main.o $(B)/libgatehouse.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libgatehouse.a: $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

# Says which package is missing, where the flags above would only be empty.
packages-known:
	@pkg-config --cflags $(PACKAGES) >/dev/null
$(OBJ) $(B)/proxy/main.o: | packages-known

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What a test is made of is compiled and linked the quick way; what it tests is not.
$(B)/tests/unit/%.o: SANITIZE_plain = -O0
QUICK_LINK := $(if $(shell command -v ld.gold),-fuse-ld=gold)
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(TEST_LIB) $(B)/libgatehouse.a
	@$(CC) $(LDFLAGS) $(QUICK_LINK) -o $@ $^ $(LDLIBS) -lcmocka

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(TEST_LIB) $(B)/libgatehouse.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY:
unit-build: $(UNIT)

# Built by a make of its own kind: once for all targets, and never stale.
fuzz-lib:
	@$(MAKE) --no-print-directory KIND=fuzz CC="$(FUZZ_CC)" build/fuzz/libgatehouse.a
build/fuzz/%: tests/fuzz/%.c fuzz-lib
	$(FUZZ_CC) $(CPPFLAGS) $(PKG_CFLAGS) -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -o $@ $< build/fuzz/libgatehouse.a $(LDLIBS)
SANITIZE_fuzz = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -O1
fuzz-build: $(FUZZ)

deps:
	@tests/setup build
test-deps:
	@tests/setup test
run: deps
	@$(MAKE) --no-print-directory -j2 all
	@tests/first-run
test: test-deps
	@$(PYTHON) tests/run.py all
check: test-deps
	@$(PYTHON) tests/run.py quick
bench: test-deps
	@$(MAKE) --no-print-directory -j2 all
	@$(PYTHON) tests/bench/run.py $(PART)
# Against SpamAssassin on 1,000 mails; `make test` takes fewer.
agreement: test-deps
	@$(MAKE) --no-print-directory -j2 all
	@GATEHOUSE_AGREEMENT=1000 $(PYTHON) tests/integration/test_sa_agreement.py
# How often each shipped rule hits ham, spam and phish.
rates: test-deps
	@$(MAKE) --no-print-directory -j2 all
	@$(PYTHON) tests/corpus/hit_rates.py --all
lint: test-deps
	@$(PYTHON) tests/lint/lint.py --deep
fuzz: test-deps
	@$(PYTHON) tests/run.py fuzz --seconds 600

docs: docs/gatehouse.conf.5
docs/gatehouse.conf.5: $(B)/gatehouse
	$< check --reference >$@

PREFIX = /usr/local
DATA = $(PREFIX)/share/gatehouse
FILL = sed 's,@DATA@,$(DATA),g; s,@SBIN@,$(PREFIX)/sbin,g'
# Rules of your own and a configuration that is there stay as they are.
install: all docs
	install -D -m 0755 $(B)/gatehouse $(DESTDIR)$(PREFIX)/sbin/gatehouse
	install -D -m 0644 docs/gatehouse.8 $(DESTDIR)$(PREFIX)/share/man/man8/gatehouse.8
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man5 $(wildcard docs/*.5)
	install -D -m 0644 -t $(DESTDIR)$(DATA)/rules rules/shipped/*.cf
	install -d $(DESTDIR)/etc/gatehouse/rules
	test -e $(DESTDIR)/etc/gatehouse/gatehouse.conf || \
		$(FILL) docs/install/gatehouse.conf.in >$(DESTDIR)/etc/gatehouse/gatehouse.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	$(FILL) docs/install/gatehouse.service.in >$(DESTDIR)$(PREFIX)/lib/systemd/system/gatehouse.service
	install -m 0644 docs/install/gatehouse.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/gatehouse.conf

clean:
	rm -rf build

-include $(wildcard $(B)/*/*.d $(B)/tests/*/*.d)

print-flags:
	@echo $(CPPFLAGS) $(PKG_CFLAGS) -std=c11
