"""What the web process waits for at most, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import lbftp.asgi
from django.db import OperationalError, connection
with connection.cursor() as cursor:
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        cursor.execute(f"SHOW {name}")
        print(cursor.fetchone()[0])
    cursor.execute("SET statement_timeout = '50ms'")
    try:
        cursor.execute("SELECT pg_sleep(60)")
    except OperationalError:
        print("ended")
"""


def test_statements_end_by_themselves(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres")
    try:
        env = os.environ | {"LBFTP_DATABASE_URL": postgres.url, "LBFTP_VAR": str(tmp_path / "var")}
        argv = [sys.executable, "-c", ASK]
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.split() == ["30s", "15s", "1min", "ended"], done.stderr
    finally:
        postgres.stop()
