"""Rules that take long to compile: the gateway is there at once, the better image comes later and from then on at
each start; a damaged one is made again. And rules that take long to run are cut off, told and counted."""
import re
import time

from gatehouse import Client, Gatehouse

SLOW = "".join(f"body SLOW_{i} /[a-z ,]{{4,60}}{i % 10}[^a-z]{{2}}{chr(97 + i % 26)}/\n" for i in range(40))


def start(place, rules, settings=""):
    (place / "r.cf").write_text(rules)
    return Gatehouse(place / "g", rules=f'rules {{ paths = {{"{place}/r.cf"}}  cache = "{place}/cache" {settings} }}')


def hits(gate, text):
    at = len(gate.lines)
    with Client(gate.port) as c:
        c.hello()
        assert c.mail(body=b"Subject: t\r\n\r\n" + text + b"\r\n")[0] == 250
    return gate.wait_log("event=transaction", since=at)


def test_image_comes_later_and_stays(place):
    with start(place, SLOW) as gate:
        assert not re.search("faster images", "\n".join(gate.lines[:5]))
        assert "SLOW_3(" in hits(gate, b"some words 3, d")
        assert gate.wait_log("faster images of the rules are ready", 60)
        assert gate.wait_log("event=ready .*generation 2", 60)
        assert "SLOW_3(" in hits(gate, b"some words 3, d")
        assert "SLOW_3(" not in hits(gate, b"some words 4, d")
        assert gate.status()["generation"] == 2
    images = sorted((place / "cache").glob("*.hs"))
    assert images
    with start(place, SLOW) as gate:
        assert "SLOW_3(" in hits(gate, b"some words 3, d")
        time.sleep(1)  # what must not come has no event
        assert "faster images" not in gate.log() and gate.status()["generation"] == 1
    for image in images:
        data = bytearray(image.read_bytes())
        data[len(data) // 2] ^= 0xff
        image.write_bytes(data)
    with start(place, SLOW) as gate:
        assert "SLOW_3(" in hits(gate, b"some words 3, d")
        assert gate.wait_log("faster images of the rules are ready", 60)


def test_rule_over_its_time_is_cut_off_and_told(place):
    rules = "body EVIL /^(?:a+|b+)+\\d$/\nbody MILD /hello/\n"
    with start(place, rules, "rule-budget = 5ms") as gate:
        line = hits(gate, b"hello\r\n\r\n" + b"a" * 400 + b"x")
        assert "MILD(" in line and "EVIL(" not in line
        slow = gate.wait_log('event="slow rule"')
        assert slow and "EVIL" in slow and "r.cf:1" in slow
        assert gate.status()["rules_cut_off"] == 1
        hits(gate, b"hello")
        assert gate.status()["rules_cut_off"] == 1
