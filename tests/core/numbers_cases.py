"""What two real routers answered to `observe.numbers.program` while three clients were logged in (Linux 6.1, ipvsadm 1.31)."""

from __future__ import annotations

from typing import Final

MASTER: Final = """@kernel
284.46 64.61
31765df4-ab4a-4ad0-85c7-d2fadcc50a6f
@conntrack
73
262144
@addresses
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
3: pub0    inet 192.0.2.2/24 scope global pub0\\       valid_lft forever preferred_lft forever
3: pub0    inet 192.0.2.100/32 scope global pub0\\       valid_lft forever preferred_lft forever
3: pub0    inet6 fe80::5054:ff:fe4c:101/64 scope link \\       valid_lft forever preferred_lft forever
4: int0    inet 10.0.50.1/32 scope global int0\\       valid_lft forever preferred_lft forever
@servers
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn
  -> RemoteAddress:Port
TCP  192.0.2.80:8080 rr
FWM  21 wlc persistent 360
  -> 10.0.50.11:0                 1         2           3          12
  -> 10.0.50.12:0                 1         1           4          13
@stats
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.0.2.80:8080                     0        0        0        0        0
FWM  21                                 12      647      901    34897  2149924
  -> 10.0.50.11:0                        6      323      432    17415  1073972
  -> 10.0.50.12:0                        6      324      469    17482  1075952
@connections
sessions C0000264 0A00320B 2
passive C0000264 0A00320C 2
passive C0000264 0A00320B 1
sessions C0000264 0A00320C 2
held 00000015 0A00320C 1 351
held 00000015 0A00320B 2 352
@end
"""
# IPVS was never used there.
IDLE: Final = """@kernel
9.10 1.00
189661eb-2993-4d90-a066-e6534834a525
@addresses
3: pub0    inet 192.0.2.3/24 scope global pub0\\       valid_lft forever preferred_lft forever
@end
"""
# Lines of /proc/net/ip_vs_conn of both IP versions: real ones, and some whose addresses and ports were changed.
CONNECTIONS: Final = """Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C0000233 C029 C0000264 0015 0A00320B 0015 ESTABLISHED     891
TCP C0000233 C8BF C0000264 32BB 0A00320B 32BB TIME_WAIT        63
TCP C0000233 E92D C0000264 4619 0A00320B 4619 ESTABLISHED     891
TCP C0000233 0000 C0000264 2710 0A00320B 2710 NONE             58
TCP C0000233 9ED7 C0000264 4E20 0A00320B 4E20 FIN_WAIT         64
TCP C0000233 9ED8 C0000264 4E21 0A00320B 4E21 ESTABLISHED      64
TCP C0000232 9ADF C0000264 0014 0A00320C 0014 SYN_RECV         63
TCP C0000232 0000 C0000264 0014 0A00320C 0014 NONE             63
TCP C0000232 9ADF C0000250 1F90 0A003250 1F90 ESTABLISHED      63
UDP C0000232 9ADF C0000264 0015 0A00320C 0014 UDP              63
IP  C0000232 0000 00000015 0000 0A00320C 0000 ASSURED         351
IP  C0000234 0000 00000015 0000 0A00320B 0000 NONE             12
IP  C0000233 0000 00000015 0000 0A00320B 0000 ASSURED         352
TCP 2001:0db8:0002:0000:0000:0000:0000:0052 DC3D 2001:0db8:0002:0000:0000:0000:0000:0100 0015 fd00:0050:0000:0000:0000:0000:0000:0011 0015 ESTABLISHED 899
TCP 2001:0db8:0002:0000:0000:0000:0000:0052 DC3E 2001:0db8:0002:0000:0000:0000:0000:0100 2711 fd00:0050:0000:0000:0000:0000:0000:0011 2711 ESTABLISHED 899
IP  2001:0db8:0002:0000:0000:0000:0000:0052 0000 0000:0015:0000:0000:0000:0000:0000:0000:0000 0000 fd00:0050:0000:0000:0000:0000:0000:0011 0000 ASSURED 358
"""
