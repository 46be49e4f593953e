"""What decides how fast a machine runs under emulation, and nothing of what is in it: no part of the images' key."""

from __future__ import annotations

from typing import Final

# Translated code that QEMU keeps, for each machine. What a roll-out uses does not fit into 96 MiB: all of it was thrown
# away and translated anew every ten seconds. QEMU's own choice would be a GiB.
TRANSLATED_MIB: Final = 512
