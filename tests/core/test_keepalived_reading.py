"""keepalived's configuration is read as keepalived reads it, and no text makes the reader fail in a way of its own."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.observe import keepalived
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.keepalived.tree import Block, Config, read
from lbftp.core.observe.keepalived.typed import meaning

DATA = Path(__file__).parent / "data" / "import"
MAIN = "/etc/keepalived/keepalived.conf"


def tree(text: str, config_id: str = "r1", **others: str) -> Config:
    """`others`: files beside the main one, `_` in their names a dot."""
    files = {f"/etc/keepalived/{name.replace('_', '.')}": content for name, content in others.items()}
    return read({MAIN: text, **files}, MAIN, config_id)


def words(blocks: tuple[Block, ...]) -> list[object]:
    """Nested lists: a statement is its words, one with braces its words and what they hold."""
    return [" ".join(b.words) if not b.braces else (" ".join(b.words), words(b.children)) for b in blocks]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a b # c\n! d\n e!f", ["a b", "e"]),
        ("a {\n b\n}", [("a", ["b"])]),
        ("a\n\n# above\n{\n b\n}", [("a", ["b"])]),
        ("a { b\n c { d } } e", [("a", ["b", ("c", ["d"])]), "e"]),
        ("a{b}c", [("a", ["b"]), "c"]),
        ('a "b c" d', ["a b c d"]),
        ('a "x # y" z', ["a x # y z"]),
        ('a "{" b', ["a { b"]),
        (r"a x\#y \!z", ["a x#y !z"]),
        ("a\r\nb {\r\n c\r\n}\r\n", ["a", ("b", ["c"])]),
        ("$X=5\na $X ${X}0 \"$X\" $Y", ["a 5 50 $X $Y"]),
        ("$B= \\\n v ${N} { \\\n w \\\n }\n$N=1\n$B\n$N=2\n$B", [("v 1", ["w"]), ("v 2", ["w"])]),
        ("a {\n@r1 one\n@r2 two\n@^r1 three\n@^r2 four\n}", [("a", ["one", "four"])]),
        ("$IF=@r1\n$IF yes\n$IF2=@r2\n$IF2 no", ["yes"]),
        ("~SEQ(N, 1, 3) a ${N}", ["a 1", "a 2", "a 3"]),
        ("~SEQx(N, 0x90, 0x10, 0xb0) a ${N}", ["a 90", "a a0", "a b0"]),
        ("a ${_HASH}b ${_PWD} ${_INSTANCE}", ["a #b /etc/keepalived r1"]),
    ],
)  # fmt: skip
def test_words_and_blocks(text: str, wanted: list[object]) -> None:
    assert words(tree(text).blocks) == wanted


def test_includes_are_relative_to_the_including_file() -> None:
    files = {
        MAIN: "include conf.d/*.conf\ngroup {\n  include /etc/keepalived/members/*\n}\nlast\n",
        "/etc/keepalived/conf.d/b.conf": "b\n",
        "/etc/keepalived/conf.d/a.conf": "include ../c.inc # relative\na\n",
        "/etc/keepalived/conf.d/.hidden.conf": "hidden\n",
        "/etc/keepalived/conf.d/deep/x.conf": "deep\n",
        "/etc/keepalived/c.inc": "c\n",
        "/etc/keepalived/members/one": "m1\n",
        "/etc/keepalived/members/two": None,
    }
    config = read(files, MAIN)
    assert words(config.blocks) == ["c", "a", "b", ("group", ["m1"]), "last"]
    assert config.files == (
        MAIN,
        "/etc/keepalived/conf.d/a.conf",
        "/etc/keepalived/c.inc",
        "/etc/keepalived/conf.d/b.conf",
        "/etc/keepalived/members/one",
    )
    assert config.blocks[0].file == "/etc/keepalived/c.inc"


@pytest.mark.parametrize("line", ["include none.conf", "includea none.d/*", "include {x,y}.conf"])
def test_an_include_of_what_was_not_read_is_a_remark(line: str) -> None:
    config = tree(f"first\n{line}\nlast")
    assert words(config.blocks) == ["first", "last"]
    assert [(r.file, r.line) for r in config.remarks] == [(MAIN, 2)]
    assert line.split()[1] in config.remarks[0].text


def test_braces_of_an_include_are_alternatives() -> None:
    assert words(tree("include {a,b}.conf", a_conf="one", b_conf="two", c_conf="three").blocks) == ["one", "two"]


def test_the_rest_of_an_include_line_is_the_file_name() -> None:
    """Measured with 2.2.7: `{ include a.conf }` looks for a file called `a.conf }`."""
    with pytest.raises(ObserveError, match="never closed"):
        tree("g { include a.conf }", a_conf="x")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a {\n b", "'a' is never closed"),
        ("a }\n", "closes nothing"),
        ("{ a }", "opens nothing"),
        ("include keepalived.conf", "includes itself"),
        ("$A=$A x\na $A", "too long"),
        ("$A=${B}${B}\n" + "".join(f"$B{n}=${{B{n + 1}}}${{B{n + 1}}}\n" for n in range(60)) + "$B=${B0}\na ${A}", "long"),
        ("~SEQ(A,1,4000) ~SEQ(B,1,4000) a", "too long"),
        ("a {" * 100, "too deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_where(text: str, why: str) -> None:
    with pytest.raises(ObserveError, match=why) as caught:
        tree(text)
    assert caught.value.part == MAIN


def test_a_file_may_close_what_another_opened() -> None:
    assert words(tree("a {\ninclude rest.inc\n", rest_inc="b\n}\nc").blocks) == [("a", ["b"]), "c"]


def test_remarks_name_conditions_quotes_and_what_is_not_carried_out() -> None:
    found = [r.text for r in tree('@r2 x\n~LST(A, 1, 2) y\na "b\n').remarks]
    assert found[0] == "counts only where keepalived's id fits @r2"
    assert found[1].startswith("is not carried out: ~LST")
    assert found[2] == "has an open quote"


def test_a_comment_above_stays_with_its_statement() -> None:
    first, second, third = tree("# one\na # not this\nb\n\n! three\nc {\n}").blocks
    assert (first.comment, second.comment, third.comment) == ("one", "", "three")


def test_single_files_tell_marks_router_ids_and_our_include() -> None:
    text = """
    vrrp_instance a { virtual_router_id 51#x
    }
    virtual_server fwmark 21 { quorum 1 }
    virtual_server_group g { fwmark 22 }  # fwmark 23
    @r2 virtual_router_id 52
    notify "virtual_router_id 53"
    """
    assert keepalived.router_ids(text) == {51, 52}
    assert keepalived.marks(text) == {21, 22}
    assert not keepalived.includes_ours(text)
    for line in ("include /etc/keepalived/lbftp.d/*.conf", "includea lbftp.d/*.conf", "include {other,lbftp}.d/*.conf"):
        assert keepalived.includes_ours(f"global_defs {{\n}}\n{line}\n"), line
    for line in ("# include lbftp.d/*.conf", "include lbftp.d/ftp.conf", "xinclude lbftp.d/*.conf"):
        assert not keepalived.includes_ours(line), line


def test_meaning_of_a_whole_configuration() -> None:
    text = (DATA / "by-hand" / "r1" / "etc" / "keepalived" / "keepalived.conf").read_text()
    found = meaning(read({MAIN: text.replace("include services.d/*.conf\n", "")}, MAIN, "lvs1"))
    public, internal = found.instances
    assert (public.name, public.state, public.interface, public.vrid, public.priority) == (
        "VI out",
        "MASTER",
        "eth0",
        51,
        150,
    )
    assert [str(a.address) for a in public.addresses] == ["192.0.2.100/24"]
    assert public.unicast_peers == ("192.0.2.3",)
    assert public.authentication
    assert not public.preempt
    assert [b.name for b in public.others] == ["garp_master_delay"]
    assert internal.addresses[0].device == "eth1"
    assert found.sync_groups[0].members == ("VI out", "VI_IN")
    assert found.globals.sync_daemon == ("eth1", "VI_IN", "id", "51")
    assert found.globals.script_security


def test_meaning_of_virtual_servers() -> None:
    text = """
    virtual_server fwmark 21 {
      ip_family inet6
      lvs_sched mh
      mh-port
      lvs_method DR
      persistence_timeout
      persistence_granularity 64
      quorum x
      sorry_server 2001:db8::9 21
      # ftp1
      real_server fd00::11 21 {
        weight 0
        uthreshold 10
        MISC_CHECK {
          misc_path "/usr/bin/check fd00::11"
          misc_timeout 7
        }
      }
    }
    virtual_server 192.0.2.1 21 { lb_algo wrr
      persistence_granularity 255.255.255.0 }
    virtual_server group g { }
    virtual_server_group g { 192.0.2.9 80
      fwmark 7 }
    virtual_server nonsense { }
    """
    found = meaning(tree(text))
    six, plain, group = found.virtual_servers
    assert (six.mark, six.family, six.scheduler, six.flags, six.method) == (21, 6, "mh", ("mh-port",), "DR")
    assert (six.persistence, six.granularity, six.quorum, six.sorry) == (360, 64, 1, ip_address("2001:db8::9"))
    assert [b.text for b in six.others] == ["quorum x"]
    server = six.real_servers[0]
    assert (server.name, server.port, server.weight, server.upper) == ("ftp1", 21, 0, 10)
    assert (server.checks[0].kind, server.checks[0].connect_timeout) == ("MISC_CHECK", 7)
    assert (plain.address, plain.port, plain.scheduler, plain.granularity) == (ip_address("192.0.2.1"), 21, "wrr", 24)
    assert (group.kind, group.group, found.mark_groups) == ("group", "g", {"g": (7,)})


@pytest.mark.skipif(not shutil.which("keepalived"), reason="keepalived is not installed")
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('kwa"b c" x', ["kwa"]),
        ("kwa#b x", ["kwa"]),
        (r"kwa\#b x", ["kwa#b"]),
        ('"kwa#b" x', ["kwa#b"]),
        ('"kwa{b" x', ["kwa{b"]),
        ("kwa kwb kwc", ["kwa"]),
        ("$X=5\n kwa$X y\n kwa${X}z", ["kwa5", "kwa5z"]),
        ("@nobody kwa", []),
        ("@^nobody kwb", ["kwb"]),
        ("~SEQ(N,1,3) kws$N", ["kws1", "kws2", "kws3"]),
        ("$A= \\\n kwa \\\n kwb\n $A", ["kwa", "kwb"]),
    ],
)  # fmt: skip
def test_keepalived_itself_sees_the_same_words(text: str, kept: list[str], tmp_path: Path) -> None:
    """It names each keyword that it does not know, so it tells how it cut the line."""
    file = tmp_path / "keepalived.conf"
    file.write_text(f"global_defs {{\n{text}\n}}\n")
    answer = subprocess.run(["keepalived", "-t", "-f", str(file)], capture_output=True, text=True, check=False)
    said = [line.split("Unknown keyword ")[1].strip("'") for line in answer.stderr.splitlines() if "Unknown" in line]
    ours = [b.name for b in read({MAIN: file.read_text()}, MAIN, "here").blocks[0].children]
    assert ours == kept
    assert list(dict.fromkeys(said)) == kept


def _samples() -> Iterator[str]:
    yield from (p.read_text() for p in sorted(DATA.rglob("*.conf")))
    yield "$A= \\\n b { \\\n c ${D} \\\n }\n~SEQ(N,1,3) $A\n@^x include {a,b}.conf\n"


_PIECES = [
    '"',
    "{",
    "}",
    "\\",
    "#",
    "!",
    "$A",
    "${A}",
    "$A=",
    "@r1 ",
    "~SEQ(A,1,9) ",
    "\n",
    " ",
    "include a.conf",
    "\0",
    "é",
]


def _survives(text: str) -> None:
    keepalived.marks(text), keepalived.router_ids(text), keepalived.includes_ours(text), keepalived.bare(text)
    with suppress(ObserveError):
        meaning(read({MAIN: text, "/etc/keepalived/a.conf": "x {\n"}, MAIN, "r1"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=6), max_size=60).map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    _survives(text)


def test_no_damage_to_a_real_file_breaks_the_reader() -> None:
    chance = random.Random(20)  # noqa: S311 - the same damage each time
    samples = list(_samples())
    assert len(samples) > 4
    for _ in range(600):
        text = chance.choice(samples)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(_PIECES) + text[at + chance.choice((0, 0, 1, 30)) :]
        _survives(text)
