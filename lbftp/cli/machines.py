"""Real servers: which there are, and where."""

from __future__ import annotations

from typing import Any

from lbftp.accounts import access
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE
from lbftp.inventory import services
from lbftp.inventory.models import RealServer


def real_server(ask: Ask) -> int:
    """Lists them; with an address, adds the named one or changes it. An address that is not given stays, '' goes."""
    given = {name: ask.options[name] for name in ("address", "address6") if ask.options[name] is not None}
    if given:
        saved = _save(ask, given)
        ask.answer(_data(saved), f"{saved.name}: saved {', '.join(saved.addresses)}; nothing was done on it")
        return DONE
    rows = access.visible(ask.person(), RealServer) if ask.options["user"] else RealServer.objects.all()
    for option, column in (("team", "team__name"), ("server", "name")):
        rows = rows.filter(**{column: ask.options[option]}) if ask.options[option] else rows
    found = [_data(row) for row in rows.select_related("team").order_by("team__name", "name")]
    lines = [f"{one['real_server']:<16}  {one['address'] or '-':<15}  {one['address6'] or '-'}" for one in found]
    ask.answer({"real_servers": found}, "\n".join(lines) or "no real servers yet")
    return DONE


def _save(ask: Ask, given: dict[str, str]) -> RealServer:
    name, team = ask.options["server"], ask.team()
    if not name:
        raise WrongUse("Name the real server whose address this is.")
    row = RealServer.objects.filter(team=team, name=name).first()
    if row is None:
        return services.add_real_server(user=ask.person(), team=team, name=name, **given)
    now = services.stored_addresses(row)
    return services.set_addresses(user=ask.person(), server=row, seen=now, **{**now, **given})


def _data(row: RealServer) -> dict[str, Any]:
    return {"real_server": row.name, "team": row.team.name, "address": row.address, "address6": row.address6}
