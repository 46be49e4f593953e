"""Six people who want to be the first administrator at the same moment, of the site that the environment names.

Prints how many got in, and how many administrators there are then, as JSON.
"""

from __future__ import annotations

import json
import os
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from lbftp.accounts.models import Membership, Role  # noqa: E402
from lbftp.accounts.services.first import first_administrator, new_first_code  # noqa: E402
from lbftp.changes.errors import Refused  # noqa: E402


def main() -> None:
    call_command("migrate", verbosity=0)
    code = new_first_code()
    gate = threading.Barrier(6)
    said: list[str] = []

    def come(number: int) -> None:
        name = f"newcomer{number}{'abcdef'[number]}"
        gate.wait()
        try:
            first_administrator(code=code, username=name, password="a long enough one", team=f"team {number}")
            said.append("in")
        except Refused:
            said.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=come, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    administrators = Membership.objects.filter(role=Role.ADMIN).count()
    print(json.dumps({"said": sorted(said), "administrators": administrators}))


if __name__ == "__main__":
    main()
