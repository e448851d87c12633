"""What ends in order: a session's last reply, a login over RSET, a reload while another reads."""
import base64
import signal
import ssl
import socket
import time

import certificates
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port


def test_quit_closes_under_tls(place):
    """Behind 221 comes the end, at once, however the client waits for it."""
    certificate, key = certificates.make(place)[:2]
    port = free_port()
    extra = f"""tls default {{ certificate = "{certificate}" key = "{key}" }}
listen smtps {{ address = 127.0.0.1:{port} tls = implicit certificate = default }}"""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Gatehouse(place / "g", extra=extra) as g, socket.create_connection(("127.0.0.1", port), 10) as raw:
        with context.wrap_socket(raw, suppress_ragged_eofs=False) as s:
            assert s.recv(500).startswith(b"220"), g.log()
            start = time.time()
            s.sendall(b"QUIT\r\n")
            assert s.recv(500).startswith(b"221")
            assert s.recv(500) == b"" and time.time() - start < 3


def test_rset_costs_no_login(place):
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN\r\n250 ENH")
    with FakeBackend({"AUTH": b"235 2.7.0 Ok\r\n"}, ehlo=ehlo) as backend, \
            Gatehouse(place / "g", backend=backend.port, listen_settings="auth-without-tls = on") as g:
        with Client(g.port) as c:
            c.hello()
            assert c.code("AUTH PLAIN " + base64.b64encode(b"\0ada\0secret").decode()) == 235
            for _ in range(3):
                assert c.code("MAIL FROM:<ada@example.org>") == 250
                assert c.code("RCPT TO:<bob@example.com>") == 250, g.log()
                assert c.code("RSET") == 250
            assert c.mail()[0] == 250, g.log()
        assert len([x for x in backend.commands if x.startswith("AUTH")]) == 1


def test_hangup_while_another_is_read(place):
    """Its configuration may have been read already: it is read once more."""
    with Gatehouse(place / "g") as g:
        for _ in range(3):
            g.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        time.sleep(0.1)
        assert g.wait_log("reading", since=0)
        end = time.time() + 15
        while time.time() < end and len([x for x in g.lines if "event=reload" in x and "reading" in x]) < 2:
            time.sleep(0.05)
        assert len([x for x in g.lines if "event=reload" in x and "reading" in x]) >= 2, g.log()


def test_refused_reload_leaves_no_socket(place):
    """One address can't be had: the others of that configuration are closed, or their clients wait for nobody."""
    fresh = free_port()
    with Gatehouse(place / "g") as g, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        g.conf.write_text(g.text + f"listen a {{ address = 127.0.0.1:{fresh} }}\n"
                          f"listen b {{ address = 127.0.0.1:{taken.getsockname()[1]} }}\n")
        g.process.send_signal(signal.SIGHUP)
        assert g.wait_log("refused", 15), g.log()
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", fresh)) != 0
        with Client(g.port) as c:
            c.hello()
