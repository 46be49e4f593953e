"""What people do with machines and credentials, and what workers store of machines.

rows.py: what all share · credentials.py · enrolment.py: from address to confirmed host key · addresses.py
"""

from __future__ import annotations

from lbftp.inventory.services.addresses import (
    add_real_server,
    set_addresses,
    set_interfaces,
    stored_addresses,
    stored_interfaces,
)
from lbftp.inventory.services.credentials import (
    add_credential,
    replace_secret,
    set_purpose,
    stored_edition,
    users_of,
)
from lbftp.inventory.services.enrolment import (
    HOST_KINDS,
    add_probe_host,
    add_router,
    confirm_host_key,
    fetch_host_key,
    give_access,
    look_again,
    store_facts,
    store_offered_key,
)
from lbftp.inventory.services.rows import clusters_with, remove

__all__ = [
    "HOST_KINDS",
    "add_credential",
    "add_probe_host",
    "add_real_server",
    "add_router",
    "clusters_with",
    "confirm_host_key",
    "fetch_host_key",
    "give_access",
    "look_again",
    "remove",
    "replace_secret",
    "set_addresses",
    "set_interfaces",
    "set_purpose",
    "store_facts",
    "store_offered_key",
    "stored_addresses",
    "stored_edition",
    "stored_interfaces",
    "users_of",
]
