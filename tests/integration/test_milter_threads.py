"""The milter's threads under ThreadSanitizer: many sessions in a real Postfix, with DNS, store, scanner, quarantine and reloads."""
import re
import signal
import subprocess
import time

import dnsserver
import pytest
from corpora import sample, send_all
from fake_clamd import FakeClamd
from gatehouse import TOP
from milter import MilterGate, main_cf
from postfix import Postfix

UNITS = ("test_milter", "test_answer_cache", "test_driver_wait", "test_jobs", "test_journal")
PROGRAM = TOP / "build" / "tsan" / "gatehouse"
ZONE = """\
pass.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
pass.example. 60 IN A 127.0.0.1
1.0.0.127.in-addr.arpa. 60 IN PTR pass.example.
slow.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
;@ slow.example delay 300
;! broken.example SERVFAIL
"""
SETTINGS = """
networks {{ trusted = {{10.0.0.1}}  internal = {{10.0.0.1}} }}
filter greylist {{ enabled = on }}
filter clamd {{ enabled = on  address = "unix:{place}/clamd" }}
rules {{ paths = {{"{rules}"}} }}
policy default {{ tag = 2  greylist = 3  redirect = 4  redirect-to = spam@example.org  quarantine = 6  reject = 9 }}
"""
MINUTE = 60


@pytest.fixture(name="built", scope="module")
def built_with_tsan():
    """As `make test` has it built already."""
    targets = ["all", *(f"build/tsan/tests/unit/{name}" for name in UNITS)]
    p = subprocess.run(["make", "-s", "-j2", "--no-print-directory", "KIND=tsan", *targets], cwd=TOP, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr[-3000:]


@pytest.mark.parametrize("name", UNITS)
def test_unit(built, name):
    p = subprocess.run([str(TOP / "build/tsan/tests/unit" / name)], capture_output=True, text=True, errors="replace", timeout=MINUTE)
    assert p.returncode == 0 and "ThreadSanitizer" not in p.stderr, p.stderr[-4000:]


def test_load(built, place, data):
    mails = sample(data, 150)
    dns = dnsserver.Server(ZONE)
    with FakeClamd(place / "clamd") as clamd:
        gate = MilterGate(place / "gate", dns=f"forward = {{127.0.0.1@{dns.port}}} dnssec = no timeout = 2s",
                          limits="received-headers = 100 end-deadline = 20s", program=str(PROGRAM),
                          milter="quarantine = own processes = 2",
                          extra=SETTINGS.format(place=place, rules=TOP / "rules" / "shipped"))
        gate.start(wait=False)
        try:
            assert gate.wait_log("event=ready", 120), gate.log()
            with Postfix(place / "pf", extra=main_cf(gate.unix)) as postfix:
                start, codes = time.time(), {}
                for sender in ("ann@pass.example", "bob@slow.example", "eve@broken.example"):
                    some, mails = mails[:50], mails[50:]
                    for code, _ in send_all(postfix.port, some, sessions=8, each=4, sender=sender):
                        codes[code] = codes.get(code, 0) + 1
                    since = len(gate.lines)
                    gate.process.send_signal(signal.SIGHUP)
                    assert gate.wait_log("event=ready", 120, since)
                print(codes, f"in {time.time() - start:.0f} s")
                assert sum(codes.values()) == 150 and codes.get(451, 0) > 0 and codes.get(250, 0) > 20
                assert len(clamd.seen) > 20
        finally:
            status = gate.stop(60)
            dns.close()
    assert status == 0
    assert not re.search("ThreadSanitizer", gate.log()), gate.log()[-6000:]
