#!/usr/bin/python3
"""Runs the tests and counts them.

run.py quick   lint of the floors, unit tests, the quick scenarios
run.py all     unit tests under ASan and UBSan, all scenarios, integration with real servers (one of them under
               ThreadSanitizer), fuzz targets, cppcheck
run.py fuzz --seconds N

The last line is "N passed, N failed" (", N skipped" where any were), and
the exit status is 0 only if nothing failed and something passed.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
os.chdir(TOP)
PY = "/usr/bin/python3"
SAN = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "LSAN_OPTIONS": f"suppressions={TOP}/tests/lsan.supp:print_suppressions=0",
}


# Of the scenarios, those that wait for nothing.
QUICK = ["-k", "dialogue or chunking or check or relay"]


# Seconds for one scenario or integration test, fixtures and all.
TEST_MAX = 400


# Unit tests that take more than a second or two.
SLOW_UNITS = {"test_smtp_data"}
# Those that take longest, for they wait; so they begin first.
WAITING_UNITS = {"test_resolver", "test_store", "test_driver_wait", "test_driver_loop"}


class Count:
    passed = failed = skipped = 0
    failures = []


def fail(name, text=""):
    Count.failed += 1
    Count.failures.append(name)
    print(f"FAILED {name}\n{text}", flush=True)


def run(cmd, timeout, env=None):
    try:
        p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                           env={**os.environ, **(env or {})})
        return p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b"").decode(errors="replace") + f"\ntimed out after {timeout} s"


def build(*targets, kind="plain"):
    code, out = run(["make", "--no-print-directory", "-s", "-j2", f"KIND={kind}", *targets], 1500)
    if code:
        fail(f"build {' '.join(targets)} ({kind})", out[-6000:])
    return code == 0


def unit_run(exe):
    start = time.time()
    code, out = run([exe], 300, {**SAN, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
    return code, out, time.time() - start


def unit_count(name, code, out, seconds):
    ok = len(re.findall(r"^ok\b(?!.*# SKIP)", out, re.M))
    skip = len(re.findall(r"^(?:not )?ok\b.*# SKIP", out, re.M))
    bad = len(re.findall(r"^not ok\b(?!.*# SKIP)", out, re.M))
    if seconds > 5:
        print(f"  {name}: {seconds:.0f} s")
    Count.passed += ok
    Count.skipped += skip
    for line in re.findall(r"^# (?:count|skipped).*", out, re.M):
        print(f"  {name}: {line[2:]}")
    if bad or (code and not skip) or not ok + skip:
        fail(f"unit/{name}", out[-4000:])
        Count.failed += max(0, bad - 1)


def unit(kind):
    """cmocka programs, TAP out: a test is a line ok or not ok. As many at a time as there are cores: some of them wait."""
    if not build("all", "unit-build", kind=kind):
        return
    folder = "build" if kind == "plain" else f"build/{kind}"
    names = sorted(p.stem for p in Path("tests/unit").glob("*.c") if kind != "plain" or p.stem not in SLOW_UNITS)
    names.sort(key=lambda name: name not in WAITING_UNITS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = dict(zip(names, pool.map(unit_run, [f"{folder}/tests/unit/{name}" for name in names])))
    for name in sorted(done):
        unit_count(name, *done[name])
    print(f"unit: done, {Count.passed} passed so far", flush=True)


def pytest(folder, timeout, *args):
    if not list(Path(folder).glob("test_*.py")):
        return
    xml = Path("build") / (folder.replace("/", "-") + ".xml")
    xml.unlink(missing_ok=True)
    p = subprocess.Popen([PY, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-rs",
                          f"--timeout={TEST_MAX}", f"--junitxml={xml}", folder, *args], start_new_session=True,
                         env={**os.environ, **SAN, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        p.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        fail(f"{folder}: timed out after {timeout} s")
    except BaseException:
        os.killpg(p.pid, signal.SIGKILL)
        raise
    if not xml.exists() and p.returncode >= 0:
        fail(f"{folder}: pytest ended with {p.returncode}")
        return
    if not xml.exists():
        return
    for case in ET.parse(xml).getroot().iter("testcase"):
        name = f"{folder}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            Count.failed += 1
            Count.failures.append(name)
        elif case.find("skipped") is not None:
            Count.skipped += 1
        else:
            Count.passed += 1


def fuzz(seconds):
    if not build("fuzz-build"):
        return
    for src in sorted(Path("tests/fuzz").glob("*.c")):
        corpus = Path(f"build/fuzz/corpus-{src.stem}")
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = Path(f"tests/fuzz/seeds/{src.stem}")
        cmd = [f"build/fuzz/{src.stem}", f"-max_total_time={seconds}", "-seed=1", "-timeout=10", "-rss_limit_mb=2048",
               f"-artifact_prefix=build/fuzz/crash-{src.stem}-", "-verbosity=0", str(corpus)]
        if seeds.is_dir():
            cmd.append(str(seeds))
        code, out = run(cmd, seconds + 120, SAN)
        if code:
            fail(f"fuzz/{src.stem}", out[-4000:])
        else:
            Count.passed += 1


def lint(deep):
    code, out = run([PY, "tests/lint/lint.py", *(["--cppcheck"] if deep else [])], 1200)
    if code:
        fail("lint", out[-4000:])
    else:
        Count.passed += 1


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("what", choices=["quick", "all", "fuzz", "unit", "integration"])
    ap.add_argument("--seconds", type=int, default=5)
    args = ap.parse_args()
    start = time.time()
    if args.what in ("quick", "all"):
        lint(args.what == "all")
    if args.what in ("all", "unit"):
        unit("asan")
    if args.what == "quick":
        unit("plain")
        pytest("tests/scenario", 60, *QUICK)
    if args.what == "all" and build("all"):
        pytest("tests/scenario", 900)
    if args.what in ("all", "integration"):
        if build("all") and build("all", kind="tsan"):
            pytest("tests/integration", 1500)
    if args.what in ("all", "fuzz"):
        fuzz(args.seconds)
    for name in Count.failures:
        print("failed:", name)
    print(f"in {time.time() - start:.0f} s")
    skipped = f", {Count.skipped} skipped" if Count.skipped else ""
    print(f"{Count.passed} passed, {Count.failed} failed{skipped}", flush=True)
    sys.exit(1 if Count.failed or not Count.passed else 0)


main()
