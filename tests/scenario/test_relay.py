"""Relaying through the SMTP door: each trick gets 550 5.7.1, and the backend never hears of it."""
import json

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

NO_LIMITS = "errors = 10000 unknown-commands = 10000 messages = 10000 commands = 100000"
US = "example.org"
FOREIGN = "other.example"


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with FakeBackend() as backend:
        with Gatehouse(tmp_path_factory.mktemp("gate"), backend=backend.port, limits=NO_LIMITS,
                       domains="example.org, gate.example.org") as g:
            g.backend = backend
            yield g


def rcpt(port, path, sender=""):
    with Client(port) as c:
        c.hello()
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        return c.cmd(f"RCPT TO:<{path}>")


def heard_of(backend, word):
    return [line for line in backend.commands if word in line.lower()]


TRICKS = [
    f"user@{FOREIGN}", f"user@{FOREIGN}.", f"user@{FOREIGN.upper()}", f"user@{US}.{FOREIGN}", f"user@x{US}",
    f"user%{FOREIGN}@{US}", f"user%{FOREIGN}@{US}.", f"{FOREIGN}!user@{US}", f'"user@{FOREIGN}"@{US}',
    f'"user%{FOREIGN}"@{US}', f'"user\\@{FOREIGN}"@{US}', f'"\\"user@{FOREIGN}\\""@{US}', f"user@{FOREIGN}@{US}",
    f"@{US}:user@{FOREIGN}", f"@{US}:user%{FOREIGN}@{US}", f'"@{US}:user@{FOREIGN}"@{US}', "user@[192.0.2.1]",
    "user@[127.0.0.1]", "user@[IPv6:::1]", f"{FOREIGN}!user", f"user%{FOREIGN}", f'"user@{FOREIGN}"',
    f"user@xn--bcher-kva.{FOREIGN}", f"postmaster@{FOREIGN}",
]


@pytest.mark.parametrize("path", TRICKS)
def test_trick(gate, path):
    code, text = rcpt(gate.port, path, "a@example.net")
    assert code == 550 and text.startswith("5.7.1 "), (code, text)
    assert not heard_of(gate.backend, FOREIGN)


def test_classic_probes(gate, data):
    tests = json.loads((data / "smtp/derived/open_relay_16.json").read_text())["tests"]
    assert len(tests) == 16
    for t in tests:
        fill = [s.replace("DOMAIN", FOREIGN).replace("SRVNAME", "gate.example.org").replace("IP", "127.0.0.1")
                for s in (t["rcpt_to"], t["mail_from"])]
        code, text = rcpt(gate.port, *fill)
        assert code == 550 and text.startswith("5.7.1 "), (t, code, text)
    assert not heard_of(gate.backend, FOREIGN)


@pytest.mark.parametrize("path", ["bob@example.org", "bob+tag=1@EXAMPLE.org.", '"a b"@example.org', "postmaster",
                                  "Postmaster@gate.example.org", f"@{FOREIGN}:bob@example.org"])
def test_ours(gate, path):
    assert rcpt(gate.port, path, "a@example.net")[0] == 250
    assert not heard_of(gate.backend, FOREIGN)


def test_relay_network_may(tmp_path):
    with FakeBackend() as backend:
        with Gatehouse(tmp_path, backend=backend.port, networks="127.0.0.0/8") as g:
            assert rcpt(g.port, f"user@{FOREIGN}")[0] == 250
            assert rcpt(g.port, f"user%{FOREIGN}@{US}")[0] == 250
            code, text = rcpt(g.port, f"user@{FOREIGN}@{US}")
            assert code == 501 and text.startswith("5.1.3 ")
