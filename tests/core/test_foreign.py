"""Secrets of others in files and outputs: each is masked, the mark changes with it, and nothing else is."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core import foreign, secrecy
from lbftp.core.printable import printable, visible


def digest(secret: str) -> str:
    return hashlib.sha256(b"the site's key" + secret.encode("utf-8", "surrogateescape")).hexdigest()[:6]


def masked(text: str) -> str:
    found: str = foreign.masked(text, digest)
    return found


HELD = {
    "keepalived": "    auth_pass {}",
    "keepalived, quoted": '    auth_pass "{}" # of both',
    "keepalived smtp": "  password {}",
    "snmpd": "rocommunity {} 10.0.0.0/8",
    "snmpd v6": "rwcommunity6 {}",
    "snmpd groups": "com2sec local localhost {}",
    "snmpd user": "createUser bob SHA {} AES other",
    "proftpd sql": "  SQLConnectInfo ftp@db.example user {}",
    "proftpd ldap": 'LDAPBindDN "cn=ftp,dc=example" {}',
    "pure-ftpd": "MYSQLPassword    {}",
    "pure-ftpd ldap": "LDAPBindPW {}",
    "ini": "db_password={}",
    "ini, spaces": "password = {}",
    "pam_mysql": "auth required pam_mysql.so user=vsftpd passwd={} host=localhost",
    "yaml": "  api_key: {}",
    "json": '{{"password": "{}", "x": 1}}',
    "wireguard": "PrivateKey = {}",
    "redis": "requirepass {}",
    "address": "url https://bob:{}@repo.example/x",
    "key": "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "crypt": "root:$6$salt${}:19000:0:::",
    "apache": "bob:$apr1$ab${}",
    "ldap hash": "userPassword {{SSHA}}{}0123",
    "php": "$db['password'] => '{}',",
}
KEPT = """# Say which password you want; passwords are long. secret
vrrp_instance VI_1 {
    state MASTER
    authentication {
        auth_type PASS
    }
    virtual_ipaddress {
        192.0.2.1/24
    }
}
-A INPUT -p tcp --dport 21 -m comment --comment "no secret here" -j ACCEPT
user=anonymous password=lbftp@localhost known=
  { IFS= read -r user; IFS= read -r password; } <"$account"
[sudo] password for lbftp: Sorry, try again.
https://example.org:443/path@x
"""


@pytest.mark.parametrize("kind", HELD)
def test_each_kind_is_masked_and_a_change_is_seen(kind: str) -> None:
    first, second = (masked(HELD[kind].format(word)) for word in ("Canary1xyz", "Canary2xyz"))
    assert "Canary" not in first + second
    assert "[secret " in first
    assert first != second
    assert masked(first) == first


def test_what_is_no_secret_stays() -> None:
    assert masked(KEPT) == KEPT


def test_a_key_that_comes_line_by_line_is_left_out() -> None:
    lines = foreign.Lines()
    text = "before\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----\nafter"
    shown = [said for line in text.split("\n") for said in lines(line)]
    assert shown[0] == "before"
    assert shown[2] == "[secret]"
    assert shown[-1] == "after"
    assert not {"AAAA", "BBBB"} & set(shown)


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "a." * 150_000, "://a:" * 60_000, 'password="' * 30_000, "\t" * 300_000, "pass " * 60_000]
)
def test_a_long_line_of_anything_takes_no_longer_than_it_is_long(text: str) -> None:
    with secrecy.known(["secret-word", "ab"]):
        began = time.monotonic()
        secrecy.hidden(masked(text))
        # With the square of the length it would be hours.
        assert time.monotonic() - began < 60


@given(st.text(min_size=4, max_size=30), st.text(max_size=10))
def test_a_known_secret_is_hidden_in_any_text(secret: str, around: str) -> None:
    with secrecy.known([secret]):
        for text in (secret, f"{around}{secret}{around}", visible(secret), repr(secret)):
            assert secret not in secrecy.hidden(text) or secret in secrecy.MARK * 2 + around * 2


def test_a_short_secret_is_hidden_where_it_is_called_one_and_nowhere_else() -> None:
    with secrecy.known(["ab"]):
        assert secrecy.hidden("530 PASS ab is wrong; about it, password: 'ab'") == (
            "530 PASS [secret] is wrong; about it, password: '[secret]'"
        )
    assert secrecy.hidden("PASS ab") == "PASS ab"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_whatever_comes_is_fit_for_a_database_and_a_terminal(value: object) -> None:
    import json

    shown = json.dumps(printable(value), allow_nan=False, ensure_ascii=False)
    shown.encode()
    assert not set(shown) & set("\x00\x1b\x9b\u202e\x7f")
    assert printable(printable(value)) == printable(value)
