"""Rules that a cluster has to keep, judged from it alone and beside others (`lbftp.core.lint`).

Each says how it should be. The rules make sentence and remedy.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.checks.catalogue.entry import Entry

LINT: Final = (
    Entry("FTP000", "error", "A value that no cluster can have."),
    Entry("FTP001", "error", "A pair is two routers."),
    Entry(
        "FTP002",
        "error",
        "The routers' VRRP priorities differ, so that it is certain which one is master.",
    ),
    Entry("FTP003", "error", "There is at least one real server."),
    Entry("FTP004", "warning", "There is only one real server."),
    Entry("FTP005", "error", "At least one real server (of each IP version) has a weight above 0."),
    Entry(
        "FTP006",
        "warning",
        "Routers and real servers have names that differ in more than capital letters.",
    ),
    Entry("FTP007", "warning", "Only one of several real servers has a weight above 0."),
    Entry(
        "FTP010",
        "error",
        "Each real server is in the internal network: with NAT its answers must come back through the router.",
    ),
    Entry(
        "FTP011",
        "error",
        "The internal floating address is in the internal network; it is the real servers' default route.",
    ),
    Entry(
        "FTP012",
        "warning",
        "The VIP is in a network of each router's public interface, or is routed to the pair.",
    ),
    Entry("FTP013", "error", "Each router's internal interface is in the internal network."),
    Entry("FTP014", "error", "With NAT the public and the internal side are two interfaces."),
    Entry("FTP015", "error", "VIP and floating address belong to no router or real server."),
    Entry("FTP016", "error", "VIP and floating address are two addresses."),
    Entry("FTP017", "error", "NAT has an internal floating address for each IP version."),
    Entry("FTP018", "error", "NAT has an internal network for each IP version."),
    Entry(
        "FTP019",
        "info",
        "With direct routing and tunnelling nobody needs an internal floating address.",
    ),
    Entry(
        "FTP057",
        "error",
        "Addresses are those of single hosts: not loopback, multicast, link-local, reserved or unspecified.",
    ),
    Entry("FTP058", "error", "No address is its network's first or broadcast address."),
    Entry("FTP059", "error", "The internal network and the public one do not overlap."),
    Entry(
        "FTP050",
        "warning",
        "Some real servers lack an address of one of the cluster's IP versions.",
    ),
    Entry(
        "FTP051",
        "error",
        "At least one real server has an address of each IP version with a VIP.",
    ),
    Entry(
        "FTP052",
        "error",
        "Each router has an address of its own towards the clients, of each IP version with a VIP.",
    ),
    Entry(
        "FTP053",
        "error",
        "Likewise towards the real servers, unless it reaches them by tunnels.",
    ),
    Entry(
        "FTP054",
        "info",
        "Over IPv6 there is neither PASV nor PORT (RFC 2428), only EPSV and EPRT.",
    ),
    Entry("FTP055", "info", "The helper understands IPv6 in kernels from about 4.18 on."),
    Entry(
        "FTP056",
        "warning",
        "An internal address or network is given for an IP version without VIP (a shared group's address may be).",
    ),
    Entry(
        "FTP020",
        "error",
        "The passive range covers no control port, with implicit TLS or without.",
    ),
    Entry(
        "FTP021",
        "info",
        "For control ports other than 21 the helper is loaded again with `ports=`.",
    ),
    Entry(
        "FTP022",
        "info",
        "The passive range meets the range of Linux' own outgoing connections.",
    ),
    Entry("FTP023", "warning", "The passive range is narrow; one transfer uses one port."),
    Entry(
        "FTP024",
        "warning",
        "990, where clients speak TLS from the first byte, is a plain control port.",
    ),
    Entry(
        "FTP025",
        "warning",
        "21, where clients begin in plain text, is a port with implicit TLS.",
    ),
    Entry(
        "FTP026",
        "error",
        "No control port is one that active data comes from: 20, 989, or one below another control port.",
    ),
    Entry(
        "FTP027",
        "info",
        "At other control ports active data comes from one port below (RFC 959), and FTP servers must do so.",
    ),
    Entry("FTP028", "warning", "A control port is a known one of another service (22, 80, 443 …)."),
    Entry(
        "FTP029",
        "info",
        "The passive range covers known ports of other services, which firewalls on the way often stop.",
    ),
    Entry("FTP079", "warning", "No port that active data comes from is in the passive range."),
    Entry(
        "FTP088",
        "info",
        "With TLS any firewall in front has to let in the whole range, because it cannot read the PASV answer.",
    ),
    Entry("FTP099", "info", "The mark has bits that Kubernetes or Tailscale uses."),
    Entry("FTP030", "warning", "Helper mode without persistence."),
    Entry("FTP031", "warning", "Persistence is shorter than the FTP server's idle time-out."),
    Entry("FTP032", "warning", "Persistence is so long that draining a server takes hours."),
    Entry(
        "FTP033",
        "error",
        "Advertise mode has persistence: nothing else brings data connections to the right server.",
    ),
    Entry(
        "FTP034",
        "warning",
        "The granularity is coarser than /24 (IPv6: /64), so that many clients share one server.",
    ),
    Entry("FTP035", "info", "A granularity without persistence does nothing."),
    Entry(
        "FTP036",
        "warning",
        "A failed server that stays in with weight 0 keeps its persistent clients.",
    ),
    Entry(
        "FTP037",
        "info",
        "A server with weight 0 keeps its clients until their persistence ends.",
    ),
    Entry("FTP080", "error", "The helper works with NAT only."),
    Entry("FTP081", "error", "The helper cannot read sessions with explicit TLS."),
    Entry("FTP082", "error", "The helper cannot read sessions with implicit TLS."),
    Entry(
        "FTP083",
        "error",
        "Helper mode has a nat rule for active mode: it turns on the connection tracking without which PASV breaks.",
    ),
    Entry(
        "FTP084",
        "info",
        "With direct routing and tunnelling no nat rule is written for active mode.",
    ),
    Entry("FTP085", "info", "NAT without a way out does not carry active mode."),
    Entry(
        "FTP086",
        "warning",
        "In advertise mode masqueraded data comes from the router's address, not from the VIP.",
    ),
    Entry("FTP087", "error", "With direct routing each real server is on a link of each router."),
    Entry("FTP089", "info", "Tunnelled packets are larger and need room on the way."),
    Entry(
        "FTP060",
        "warning",
        "dh, lblc and lblcr are meant for caches and send all clients of a VIP to one server.",
    ),
    Entry("FTP061", "info", "fo sends all clients to the server of the highest weight."),
    Entry(
        "FTP062",
        "warning",
        "With ovf a weight is a number of connections, and these are too low to be meant so.",
    ),
    Entry("FTP063", "info", "sh and mh beside persistence: persistence decides first."),
    Entry(
        "FTP064",
        "warning",
        "sh-port or mh-port without persistence tears control and data connection apart.",
    ),
    Entry("FTP065", "warning", "rr and lc pay no attention to weights that differ."),
    Entry(
        "FTP066",
        "warning",
        "sh and mh without fallback refuse clients of a server that is leaving or full.",
    ),
    Entry(
        "FTP067",
        "error",
        "The quorum can be reached: it is at most the sum of the weights (of each IP version).",
    ),
    Entry("FTP068", "info", "A quorum without sorry server is only logged."),
    Entry("FTP069", "error", "The sorry server is no machine or floating address of the cluster."),
    Entry(
        "FTP070",
        "warning",
        "The sorry server has an address for each of the cluster's IP versions, and no other.",
    ),
    Entry("FTP071", "error", "With NAT the sorry server is in the internal network."),
    Entry(
        "FTP072",
        "warning",
        "One failed server would be enough to send all clients to the sorry server.",
    ),
    Entry(
        "FTP073",
        "warning",
        "More sessions are expected than the range allows transfers on all real servers.",
    ),
    Entry("FTP074", "warning", "Likewise on the real server that gets the most clients."),
    Entry(
        "FTP075",
        "warning",
        "The upper thresholds allow fewer connections than the expected sessions need (two each).",
    ),
    Entry("FTP076", "info", "Lower and upper threshold are the same."),
    Entry("FTP077", "info", "Some real servers have an upper threshold and others have none."),
    Entry("FTP078", "info", "While one real server is away, the others' ports are not enough."),
    Entry("FTP090", "error", "The login check has a control port without implicit TLS."),
    Entry("FTP091", "warning", "The check's time-out is longer than its interval."),
    Entry("FTP092", "warning", "A dead real server gets clients for more than a minute."),
    Entry(
        "FTP093",
        "error",
        "The two VRRP instances have different ids where they speak on one interface.",
    ),
    Entry("FTP094", "info", "Without preemption the addresses stay where they went."),
    Entry("FTP095", "warning", "A delay of preemption without preemption (keepalived complains)."),
    Entry("FTP096", "error", "Both routers have the addresses that VRRP by unicast names."),
    Entry(
        "FTP097",
        "warning",
        "The interval is so long that a failover takes more than ten seconds.",
    ),
    Entry("FTP098", "info", "What connection sync carries, and where."),
    Entry("FTP040", "error", "Clusters on the same routers have different marks."),
    Entry("FTP041", "error", "… different VIPs."),
    Entry(
        "FTP042",
        "error",
        "… different virtual router ids, where their VIPs are on one interface.",
    ),
    Entry(
        "FTP043",
        "error",
        "… different internal floating addresses, unless they are of one VRRP group.",
    ),
    Entry(
        "FTP044",
        "error",
        "Clusters of one VRRP group agree in all that the group's one internal instance is made of.",
    ),
    Entry("FTP045", "error", "The id of a group's internal instance is free on its interface."),
    Entry(
        "FTP046",
        "warning",
        "A group's name meets another cluster's own group, and their floating addresses differ.",
    ),
    Entry(
        "FTP047",
        "error",
        "No advertise cluster with NAT is at a control port where another cluster's helper rewrites.",
    ),
    Entry(
        "FTP048",
        "error",
        "The helper watches at most eight ports for all clusters of a router together.",
    ),
    Entry("FTP049", "error", "One VRRP group at most has connection sync."),
    Entry(
        "FTP200",
        "error",
        "A real server's daemon is not in helper mode for one cluster and in advertise mode for another.",
    ),
    Entry("FTP201", "error", "… has one passive range."),
    Entry("FTP202", "error", "… names one VIP."),
    Entry(
        "FTP203",
        "error",
        "A real server has one default route: the same floating address, or with direct routing none of the routers.",
    ),
    Entry("FTP204", "error", "Passive ranges at the same VIP do not overlap."),
    Entry(
        "FTP205",
        "error",
        "An address is not one thing here and another thing in another cluster.",
    ),
    Entry(
        "FTP206",
        "warning",
        "Clusters with SNAT have their real servers in different networks, since their rules go by network.",
    ),
)
