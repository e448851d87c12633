#!/usr/bin/python3
"""A scripted DNS server on loopback, over UDP and TCP, for tests.

It serves a zone file in Gatehouse's format (base/zonefile.h) as a resolver
would: CNAMEs followed, wildcards, empty non-terminals, `;! name FAULT [type …]`.
Lines `;@ name TRICK [argument]` make it misbehave:

    truncate          over UDP only an empty answer with TC
    delay MS          answers late
    drop N            leaves the first N questions unanswered
    refuse            REFUSED
    wrong-id          another transaction id
    wrong-question    the question section names something else
    lie NAME ADDRESS  adds an A record for another name
    garbage           bytes that are no message
    loop NAME         a CNAME loop with that name in one message
    sign              signs the answers (Ed25519); see Server.trust_anchor

As a program:  dnsserver.py ZONEFILE [--sign ORIGIN] [--anchor FILE] [--port N] [--log]
prints "port N" and, with --log, a line "NAME TYPE udp|tcp" for each question.
It ends when its standard input does.
"""
import argparse
import collections
import functools
import socket
import socketserver
import struct
import sys
import threading
import time

import dnslib
from dnslib import QTYPE, RCODE, RR

MAX_UDP = 1232


def lower(label):
    return str(label).lower().rstrip(".")


def type_number(word):
    return int(word[4:]) if word.upper().startswith("TYPE") else getattr(QTYPE, word.upper())


class Zone:
    def __init__(self, text):
        self.records = collections.defaultdict(list)
        self.names = {""}
        self.faults = {}
        self.tricks = {}
        origin, plain = "", []
        for line in text.splitlines():
            if line.startswith("$ORIGIN"):
                origin = line.split()[1].rstrip(".")
            word = line.split()
            if line.startswith(";!"):
                for t in [type_number(w) for w in word[3:]] or [0]:
                    self.faults[self.full(word[1], origin), t] = word[2].upper()
            elif line.startswith(";@"):
                self.tricks[self.full(word[1], origin)] = word[2:]
            elif line.strip():
                plain.append(line)
        for rr in RR.fromZone("\n".join(plain) + "\n", ttl=300):
            self.add(rr)
        for name, fault in [(n, f) for (n, _), f in self.faults.items()]:
            if fault != "NXDOMAIN":
                self.add_name(name)

    @staticmethod
    def full(name, origin):
        if name.endswith(".") or not origin:
            return name.rstrip(".").lower()
        return origin.lower() if name == "@" else f"{name}.{origin}".lower()

    def add(self, rr):
        self.records[lower(rr.rname)].append(rr)
        self.add_name(lower(rr.rname))

    def add_name(self, name):
        labels = name.split(".")
        self.names.update(".".join(labels[i:]) for i in range(len(labels)))

    def node(self, name):
        """The name that answers for this one: itself, a wildcard, or None."""
        if name in self.names or any(n == name for n, _ in self.faults):
            return name
        labels = name.split(".")
        for i in range(1, len(labels) + 1):
            if ".".join(labels[i:]) in self.names:
                wild = ".".join(["*"] + labels[i:])
                return wild if wild in self.names else None
        return None

    def lookup(self, name, qtype):
        """(rcode or "TIMEOUT", records)"""
        chain, name = [], lower(name)
        for _ in range(20):
            node = self.node(name)
            if node is None:
                return RCODE.NXDOMAIN, chain
            here = self.records[node] if node in self.records else []
            found = [r for r in here if r.rtype == qtype]
            alias = [r for r in here if r.rtype == QTYPE.CNAME]
            fault = self.faults.get((node, qtype)) or (not found and not alias and self.faults.get((node, 0)))
            if fault:
                return ("TIMEOUT" if fault == "TIMEOUT" else getattr(RCODE, fault)), chain
            use = found or alias
            chain += [RR(name, r.rtype, r.rclass, r.ttl, r.rdata) for r in use]
            if found or not alias:
                return RCODE.NOERROR, chain
            name = lower(alias[0].rdata.label)
        return RCODE.SERVFAIL, chain


class Signer:
    """Signs RRsets with one Ed25519 key (RFC 4034, RFC 8080)."""

    def __init__(self, origin):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        self.origin = origin.rstrip(".")
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.rdata = struct.pack("!HBB", 257, 3, 15) + public
        acc = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(self.rdata))
        self.tag = (acc + (acc >> 16 & 0xffff)) & 0xffff
        self.dnskey = RR(self.origin, QTYPE.DNSKEY, ttl=300, rdata=dnslib.RD(self.rdata))
        import base64
        self.anchor = f"{self.origin}. IN DNSKEY 257 3 15 {base64.b64encode(public).decode()}\n"

    @staticmethod
    def wire(name):
        name = lower(name)
        return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".") if x) + b"\0"

    @staticmethod
    def packed(rr):
        buf = dnslib.DNSBuffer()
        rr.rdata.pack(buf)
        return bytes(buf.data)

    def sign(self, rrs):
        rr, now = rrs[0], int(time.time())
        name = lower(rr.rname)
        head = struct.pack("!HBBIIIH", rr.rtype, 15, len(name.split(".")), rr.ttl, now + 86400,
                           now - 86400, self.tag) + self.wire(self.origin)
        body = b""
        for data in sorted(self.packed(r) for r in rrs):
            body += self.wire(name) + struct.pack("!HHIH", rr.rtype, 1, rr.ttl, len(data)) + data
        return RR(name, QTYPE.RRSIG, ttl=rr.ttl, rdata=dnslib.RD(head + self.key.sign(head + body)))


class Server:
    def __init__(self, zone, port=0, sign=None, log=None):
        self.zone = zone if isinstance(zone, Zone) else Zone(zone)
        self.signer = Signer(sign) if sign else None
        self.log = log or (lambda line: None)
        self.queries = []
        self.dropped = collections.Counter()
        self.open(port)
        for s in (self.udp, self.tcp):
            s.daemon_threads = True
            threading.Thread(target=functools.partial(s.serve_forever, 0.05), daemon=True).start()

    def open(self, port):
        """One port number, free for both."""
        server = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                for out in server.answer(data, "udp"):
                    sock.sendto(out, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(2)) == 2:
                    for out in server.answer(self.rfile.read(struct.unpack("!H", head)[0]), "tcp"):
                        self.wfile.write(struct.pack("!H", len(out)) + out)

        class ThreadingTCP(socketserver.ThreadingTCPServer):
            allow_reuse_address = True

        for _ in range(50):
            self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", port), Udp)
            self.udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.port = self.udp.server_address[1]
            try:
                self.tcp = ThreadingTCP(("127.0.0.1", self.port), Tcp)
                return
            except OSError:
                self.udp.server_close()
        raise OSError("no free port")

    def close(self):
        for s in (self.udp, self.tcp):
            s.shutdown()
            s.server_close()

    @property
    def trust_anchor(self):
        return self.signer.anchor

    def answer(self, data, proto):
        try:
            query = dnslib.DNSRecord.parse(data)
        except dnslib.DNSError:
            return
        name, qtype = lower(query.q.qname), query.q.qtype
        self.queries.append((name, qtype, proto))
        self.log(f"{name} {QTYPE.get(qtype)} {proto}")
        trick = self.zone.tricks.get(name, [])
        out = self.reply(query, name, qtype, proto, trick)
        if out is not None:
            yield out

    def reply(self, query, name, qtype, proto, trick):
        word = trick[0] if trick else ""
        if word == "drop" and self.dropped[name] < int(trick[1]):
            self.dropped[name] += 1
            return None
        if word == "delay":
            time.sleep(int(trick[1]) / 1000)
        if word == "garbage":
            return query.pack()[:2] + b"\x81\x80" + b"\xff" * 30
        reply = query.reply(ra=1, aa=0)
        rcode, records = self.zone.lookup(name, qtype)
        if self.signer and name == self.signer.origin and qtype == QTYPE.DNSKEY:
            rcode, records = RCODE.NOERROR, [self.signer.dnskey]
        if rcode == "TIMEOUT":
            return None
        reply.header.rcode = RCODE.REFUSED if word == "refuse" else rcode
        for rr in [] if word == "refuse" else records:
            reply.add_answer(rr)
        self.sign(reply, records)
        if rcode != RCODE.NOERROR or not records:
            reply.add_auth(*RR.fromZone(". 60 SOA ns.invalid. host.invalid. 1 60 60 60 60"))
        self.misbehave(reply, name, trick)
        out = reply.pack()
        if proto == "udp" and (word == "truncate" or len(out) > MAX_UDP):
            short = query.reply(ra=1, aa=0)
            short.header.tc = 1
            out = short.pack()
        return out

    def sign(self, reply, records):
        if not self.signer:
            return
        sets = collections.defaultdict(list)
        for rr in records:
            owner = lower(rr.rname)
            unsigned = self.zone.tricks.get(owner) == ["unsigned"]
            if ("." + owner).endswith("." + self.signer.origin) and not unsigned:
                sets[owner, rr.rtype].append(rr)
        for rrs in sets.values():
            reply.add_answer(self.signer.sign(rrs))

    @staticmethod
    def misbehave(reply, name, trick):
        word = trick[0] if trick else ""
        if word == "wrong-id":
            reply.header.id ^= 0x5555
        elif word == "wrong-question":
            reply.questions[0].qname = dnslib.DNSLabel("other." + name)
        elif word == "lie":
            reply.add_answer(*RR.fromZone(f"{trick[1]}. 3600 A {trick[2]}"))
        elif word == "loop":
            reply.header.rcode = 0
            reply.auth, reply.rr = [], []
            reply.add_answer(*RR.fromZone(f"{name}. 60 CNAME {trick[1]}.\n{trick[1]}. 60 CNAME {name}.\n"))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("zonefile")
    ap.add_argument("--sign")
    ap.add_argument("--anchor")
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--log", action="store_true")
    args = ap.parse_args()
    log = functools.partial(print, flush=True) if args.log else None
    with open(args.zonefile, encoding="utf-8") as f:
        server = Server(f.read(), args.port, args.sign, log)
    if args.anchor:
        with open(args.anchor, "w", encoding="ascii") as f:
            f.write(server.trust_anchor)
    print("port", server.port, flush=True)
    sys.stdin.read()  # until whoever started us goes


if __name__ == "__main__":
    main()
