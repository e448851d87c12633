"""Who has logged in on a submission listener sends in his own name, or not at all."""
import base64

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse


class AuthBackend(FakeBackend):
    """Lets everybody in who comes with PLAIN."""

    EHLO = FakeBackend.EHLO.replace(b"250 ENHANCED", b"250-AUTH PLAIN\r\n250 ENHANCED")

    def _say(self, c, stage, normal=None):
        if stage != "AUTH":
            return super()._say(c, stage, normal)
        c.sendall(b"235 2.7.0 welcome\r\n")
        return True


@pytest.fixture
def gate(tmp_path):
    """gate(settings of filter sender_login) → a running gateway."""
    started = []

    def start(settings=""):
        backend = AuthBackend()
        g = Gatehouse(tmp_path / "g", backend=backend.port, listen_settings="role = submission  auth-without-tls = yes",
                      backend_settings="client-info = none", extra=f"filter sender_login {{ {settings} }}")
        g.backend = backend
        g.start()
        started.append(g)
        return g

    yield start
    for g in started:
        g.stop()
        g.backend.stop()


def send(g, user, sender, *fields):
    with Client(g.port) as c:
        c.hello()
        plain = base64.b64encode(f"\0{user}\0x".encode()).decode()
        code, text = c.cmd(f"AUTH PLAIN {plain}")
        assert code == 235, text
        return c.mail(rcpt="friend@elsewhere.example", sender=sender,
                      body=b"".join(f.encode() + b"\r\n" for f in fields) + b"Subject: t\r\n\r\nhello\r\n")


def test_own_name_only(gate):
    g = gate()
    assert send(g, "ada", "ada@example.org", "From: ada@example.org")[0] == 250
    assert send(g, "ada@example.org", "ada+list@example.org", "From: Ada <ada@example.org>")[0] == 250
    assert send(g, "ada", "", "From: ada@example.org")[0] == 250
    code, text = send(g, "ada", "bob@example.org", "From: ada@example.org")
    assert code == 553 and text.startswith("5.7.1 <bob@example.org>: sender address not owned by user ada")
    for fields in [["From: bob@example.org"], ["From: ada@example.org", "From: bob@example.org"],
                   ["From: ada@example.org, bob@example.org"], ["From: ada@example.org", "Sender: bob@example.org"],
                   ["From: <ada@example.org>bob@example.org"], ["X: y"]]:
        code, text = send(g, "ada", "ada@example.org", *fields)
        assert code == 553 and text.startswith("5.7.1 "), (fields, code, text)
    assert len(g.backend.messages) == 3


def test_permitted_by_list(gate):
    g = gate('permit = {"*: {login}", "ada: sales@example.org @lists.example.org"}')
    assert send(g, "ada", "sales@example.org", "From: sales@example.org")[0] == 250
    assert send(g, "ada", "any@lists.example.org", "From: any@lists.example.org")[0] == 250
    assert send(g, "bob", "sales@example.org", "From: bob@example.org")[0] == 553
    assert send(g, "bob", "bob@example.org", "From: sales@example.org")[0] == 553


def test_switched_off(gate):
    g = gate("enabled = no")
    assert send(g, "ada", "bob@example.org", "From: carol@example.org")[0] == 250
