"""SPF with a real resolver, against a name server that behaves as name servers do."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/lib"))
import dnsserver  # noqa: E402

PROGRAM = TOP / os.environ.get("GATEHOUSE", "build/gatehouse")
LONG = " ".join(f'" ip4:10.{i // 256}.{i % 256}.0/24"' for i in range(3000))
ZONE = f"""
plain.org TXT "v=spf1 a mx -all exp=why.plain.org"
plain.org A 192.0.2.1
plain.org MX 0 m.plain.org
m.plain.org A 192.0.2.2
why.plain.org TXT "not %{{i}}"
long.org TXT ( "v=spf1" {LONG} " -all" )
;! fails.org SERVFAIL
parts.org TXT "v=spf1 a:fails.org -all"
loop.org TXT "v=spf1 a:x.loop.org -all"
x.loop.org CNAME y.loop.org
y.loop.org CNAME x.loop.org
;@ silent.org drop 1000
lies.org TXT "v=spf1 a:a.lies.org -all"
a.lies.org A 192.0.2.9
;@ a.lies.org lie m.plain.org 192.0.2.66
"""


@pytest.fixture(name="spf", scope="module")
def spf_with_server(tmp_path_factory):
    server = dnsserver.Server(ZONE)
    conf = tmp_path_factory.mktemp("spf") / "gatehouse.conf"
    conf.write_text(f"dns {{ forward = {{127.0.0.1@{server.port}}}  timeout = 3s  dnssec = no }}\n", encoding="ascii")

    def run(client, sender, *more):
        out = subprocess.run([PROGRAM, "spf", "-c", conf, "--client", client, "--helo", "h.org", "--from", sender,
                              "--json", *more], stdout=subprocess.PIPE, check=True, timeout=60).stdout
        return json.loads(out)
    yield run
    server.close()


@pytest.mark.parametrize("engine", ["native", "libspf2"])
@pytest.mark.parametrize("client, sender, result", [
    ("192.0.2.1", "a@plain.org", "pass"),
    ("192.0.2.2", "a@plain.org", "pass"),
    ("192.0.2.3", "a@plain.org", "fail"),
    ("192.0.2.3", "a@fails.org", "temperror"),
    ("192.0.2.3", "a@parts.org", "temperror"),
    ("192.0.2.3", "a@loop.org", "temperror"),
    ("192.0.2.3", "a@nowhere.org", "none"),
    ("192.0.2.66", "a@lies.org", "fail"),
])
def test_answers(spf, engine, client, sender, result):
    assert spf(client, sender, "--engine", engine)["result"] == result


def test_explanation(spf):
    assert spf("192.0.2.3", "a@plain.org")["explanation"] == "not 192.0.2.3"


def test_long_record_over_tcp(spf):
    assert spf("192.0.2.1", "a@long.org")["mechanism"] == "-all"
    assert spf("10.11.183.9", "a@long.org")["result"] == "pass"


def test_silence_ends(spf):
    start = time.monotonic()
    got = spf("192.0.2.1", "a@silent.org")
    assert got["result"] == "temperror" and "silent.org" in got["problem"]
    assert time.monotonic() - start < 20
