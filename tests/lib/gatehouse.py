"""Runs Gatehouse for tests: a configuration in a folder, started and stopped."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("GATEHOUSE", str(TOP / "build" / "gatehouse"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=20, host="127.0.0.1"):
    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection((host, port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


class Gatehouse:
    """with Gatehouse(folder, backend=port) as g: … g.port …

    backend: a port on loopback, or None for a maildir (g.maildir). extra is
    configuration text put at the end; settings of the standard sections are
    given as keyword arguments of text.
    """

    def __init__(self, folder, backend=None, extra="", workers=1, domains="example.org", networks="",
                 backend_settings="", listen_settings="", limits="", top="", program=PROGRAM, dns=None,
                 rules=None, log_to_file=False):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.program = program
        self.maildir = self.folder / "mail"
        self.state = self.folder / "state"
        self.state.mkdir(exist_ok=True)
        self.conf = self.folder / "gatehouse.conf"
        self.lines = []
        self.log_file = self.folder / "log" if log_to_file else None
        self.process = None
        self.zone = self.folder / "zone"
        if dns is None:
            self.zone.write_text("example.net. 60 IN A 192.0.2.1\n")
            dns = f'zone-file = "{self.zone}"'
        where = f'maildir = "{self.maildir}"' if backend is None else f"address = 127.0.0.1:{backend}"
        self.text = f"""hostname = gate.example.org
workers = {workers}
runtime = "{self.state}"
drain-timeout = 5s
{top}
listen smtp {{ address = 127.0.0.1:{self.port}
  {listen_settings} }}
backend main {{ {where}
  {backend_settings} }}
relay {{ domains = {{{domains}}}
  networks = {{{networks}}} }}
dns {{ {dns} }}
state {{ store = "lmdb:{self.state}/store"
  directory = "{self.state}" }}
limits {{ {limits} }}
{rules or ""}
{extra}
"""
        self.conf.write_text(self.text)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def start(self, wait=True):
        if self.log_file:  # measuring: nobody reads along
            with open(self.log_file, "wb") as out:
                self.process = subprocess.Popen([self.program, "run", "-c", str(self.conf)], stdout=subprocess.DEVNULL,
                                                stderr=out, stdin=subprocess.DEVNULL)
            end = time.time() + 30
            while wait and time.time() < end and "event=ready" not in self.log_file.read_text():
                time.sleep(0.05)
            self.reader = threading.Thread(target=lambda: None)
            self.reader.start()
            return
        at = len(self.lines)
        self.process = subprocess.Popen([self.program, "run", "-c", str(self.conf)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        if wait:
            assert self.wait_log("ready", 30, since=at), "gatehouse did not get ready:\n" + self.log()

    def _read(self, pipe):
        for line in pipe:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    def log(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, seconds=10, since=0):
        end = time.time() + seconds
        while time.time() < end:
            for line in self.lines[since:]:
                if re.search(pattern, line):
                    return line
            if self.process.poll() is not None and not self.reader.is_alive():
                break
            time.sleep(0.01)
        return next((line for line in self.lines[since:] if re.search(pattern, line)), None)

    def stop(self, timeout=30):
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("gatehouse did not stop:\n" + self.log())
        self.reader.join(5)
        return self.process.returncode

    def worker_pids(self):
        out = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", "gatehouse [a-z-]*worker"], capture_output=True,
                             text=True).stdout
        return [int(x) for x in out.split()]

    def status(self):
        out = subprocess.run([self.program, "status", "-c", str(self.conf), "--json"], capture_output=True, text=True)
        return json.loads(out.stdout)

    def delivered(self):
        """The mails in the maildir, as bytes, oldest first."""
        return [p.read_bytes() for p in sorted((self.maildir / "new").glob("*"))]


class Client:
    """A bare SMTP client: what is written is what is sent."""

    def __init__(self, port, timeout=20, greet=True, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout)
        self.file = self.sock.makefile("rb")
        if greet:
            self.banner = self.reply()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """One reply: (code, text of all lines joined by newlines); (0, '') at the end."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return 0, ""
            text = line.decode("latin-1").rstrip("\r\n")
            lines.append(text[4:])
            if text[3:4] != "-":
                return int(text[:3]), "\n".join(lines)

    def cmd(self, line):
        self.send(line + "\r\n" if isinstance(line, str) else line + b"\r\n")
        return self.reply()

    def code(self, line):
        return self.cmd(line)[0]

    def hello(self, name="client.example.net"):
        code, text = self.cmd(f"EHLO {name}")
        assert code == 250, text
        return text

    def mail(self, rcpt="bob@example.org", sender="ada@example.net", body=b"Subject: t\r\n\r\nhello\r\n"):
        """A whole transaction; the reply to the content."""
        for line, want in ((f"MAIL FROM:<{sender}>", 250), (f"RCPT TO:<{rcpt}>", 250), ("DATA", 354)):
            code, text = self.cmd(line)
            if code != want:
                return code, text
        self.send(body + b".\r\n")
        return self.reply()

    def at_end(self):
        """The other side has closed; what it said before is read."""
        try:
            while self.file.read(1):
                pass
            return True
        except (ConnectionError, TimeoutError):
            return True

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
