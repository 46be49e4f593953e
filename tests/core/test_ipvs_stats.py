from __future__ import annotations

import pytest

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs_stats import Counters, parse

# ipvsadm 1.31 on Linux 6.1; the large numbers are put in.
STATS = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.0.2.80:8080                     0        0        0        0        0
FWM  21                                 12      340      280    20310   998877
  -> 10.0.50.11:0                        8      200      180    12310   998000
  -> 10.0.50.12:0                        4      140      100     8000      877
FWM  21 IPv6                             1     123K       2M       3G       4T
  -> [fd00:50::11]:0                     1     123K       2M       3G       4T
"""


def test_services_and_servers_have_their_counters() -> None:
    found = parse(STATS)
    assert list(found) == ["tcp 192.0.2.80:8080", "fwmark 21", "fwmark 21 v6"]
    assert found["fwmark 21"].total == Counters(12, 340, 280, 20310, 998877)
    assert found["fwmark 21"].servers["10.0.50.12:0"] == Counters(4, 140, 100, 8000, 877)
    assert found["fwmark 21 v6"].servers["[fd00:50::11]:0"].out_bytes == 4 * 10**12


def test_rates_have_the_same_form() -> None:
    rates = STATS.replace("Conns   InPkts  OutPkts  InBytes OutBytes", "CPS    InPPS   OutPPS    InBPS   OutBPS")
    assert parse(rates) == parse(STATS)
    assert parse("") == {}


def test_what_is_no_number_is_said() -> None:
    with pytest.raises(ObserveError, match="line 5"):
        parse(STATS.replace("20310", "2x310"))
