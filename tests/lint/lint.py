#!/usr/bin/python3
"""The house rules that a machine can check.

lint.py             floors, one library one module, sizes, words: seconds
lint.py --cppcheck  and cppcheck: a minute
lint.py --deep      and clang-tidy: many minutes
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
FLOORS = ["base", "message", "rules", "policy", "filters", "proxy"]

# Which modules may include an outside library's header (a pattern of the header's name → file stems).
LIBRARIES = {
    r"spf2/": ["filters/spf_libspf2"],
    r"opendkim/|dkim\.h": ["filters/dkim_opendkim"],
    r"libmilter/": ["proxy/milter_library"],
    r"gmime/": ["message/mime_gmime"],
    r"libxml/": ["message/html_libxml"],
    r"iconv\.h": ["message/charset"],
    r"confuse\.h": ["base/settings", "base/settings_parse"],
    r"lmdb\.h": ["base/store_lmdb"],
    r"hiredis/": ["base/store_redis"],
    r"unbound": ["base/resolver"],
    r"pcre2\.h": ["rules/regex"],
    r"hs/|hs\.h|hs_": ["rules/prefilter"],
    r"idn2\.h": ["base/idn"],
    r"libpsl\.h": ["base/psl"],
    r"unicode/": ["message/skeleton"],
    r"magic\.h": ["message/attachment"],
    r"archive": ["message/archive_list"],
    r"systemd/": ["base/log_out", "proxy/notify"],
    r"seccomp\.h|cap-ng\.h": ["base/sandbox"],
}
FILE_MAX = 700
LINE_MAX = 120
FUNCTION_MAX = 80
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

problems = []


def say(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def check_floors(path, text):
    floor = FLOORS.index(path.parts[0])
    for m in INCLUDE.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        name = m.group(2)
        top = name.split("/")[0]
        if m.group(1) == '"':
            if top not in FLOORS:
                say(path, line, f'"{name}": own headers are named from the top')
            elif FLOORS.index(top) > floor:
                say(path, line, f'"{name}" is on a higher floor')
            continue
        for pattern, modules in LIBRARIES.items():
            if re.match(pattern, name) and str(path.with_suffix("")) not in modules:
                say(path, line, f"<{name}> belongs to {', '.join(modules)}")


def check_sizes(path, text):
    lines = text.splitlines()
    if len(lines) > FILE_MAX:
        say(path, len(lines), f"more than {FILE_MAX} lines: two rooms")
    start = None
    for i, line in enumerate(lines, 1):
        if len(line.expandtabs(8)) > LINE_MAX + 8:
            say(path, i, f"line of more than {LINE_MAX} columns")
        if line.startswith("{"):
            start = i
        elif line.startswith("}") and start:
            if i - start > FUNCTION_MAX:
                say(path, start, f"function of {i - start} lines")
            start = None


def check_words(path, text):
    for m in re.finditer(r"\b(strcpy|strcat|sprintf|gets|alloca|strtok)\s*\(", text):
        if m.group(1) in ("strcpy", "strcat", "gets", "alloca", "strtok"):
            say(path, text.count("\n", 0, m.start()) + 1, f"{m.group(1)}() is not used here")
    for m in re.finditer(r"/(tmp/wt|work)/", text):
        say(path, text.count("\n", 0, m.start()) + 1, "path of one machine")


def sources():
    return [str(p.relative_to(TOP)) for f in FLOORS for p in sorted((TOP / f).glob("*.c"))]


def cppcheck():
    if not shutil.which("cppcheck"):
        print("skipped: cppcheck is not installed")
        return
    p = subprocess.run(["cppcheck", "-q", "-j2", "--enable=warning,portability", "--inline-suppr", "--std=c11",
                        "--error-exitcode=1", "--suppress=missingIncludeSystem", "-I.", "-D_GNU_SOURCE",
                        f"--suppressions-list={TOP}/tests/lint/cppcheck.supp", *sources()],
                       cwd=TOP, capture_output=True, text=True)
    if p.returncode:
        problems.extend(p.stderr.splitlines())


def clang_tidy():
    flags = subprocess.run(["make", "-s", "print-flags"], cwd=TOP, capture_output=True, text=True).stdout.split()
    if not shutil.which("clang-tidy"):
        print("skipped: clang-tidy is not installed")
        return
    command = 'printf "%s\\n" "$@" | xargs -P2 -n8 sh -c \'clang-tidy --quiet --warnings-as-errors="*" "$@" -- ' + \
        " ".join(flags) + "' sh"
    p = subprocess.run(["sh", "-c", command, "sh", *sources()], cwd=TOP, capture_output=True, text=True)
    if p.returncode:
        problems.extend(line for line in p.stdout.splitlines() if "error:" in line)


def main():
    for floor in FLOORS:
        for path in sorted((TOP / floor).glob("*.[ch]")):
            rel = path.relative_to(TOP)
            text = path.read_text(errors="replace")
            check_floors(rel, text)
            check_sizes(rel, text)
            check_words(rel, text)
    if "--deep" in sys.argv or "--cppcheck" in sys.argv:
        cppcheck()
    if "--deep" in sys.argv:
        clang_tidy()
    for p in problems:
        print(p)
    print(f"lint: {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
