"""Whether control.db has all that its schema says: a part that is lost must not be found later.

The number of the schema alone does not tell: a table may have been dropped since, or a repair of a
damaged file may have left it out. What was added by somebody else is left alone.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from seekroute.control.models import metadata
from seekroute.control.remains import LostDatabaseError

_SHOWN: Final = 3  # of what is missing


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Call when the schema is the latest one. Changes nothing.

    Raises:
        LostDatabaseError: a table, a column or an index is missing.
    """
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    missing = []
    for table in metadata.sorted_tables:
        if table.name not in found:
            missing.append(f"table {table.name}")
            continue
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        missing += [f"column {table.name}.{c.name}" for c in table.columns if c.name not in there]
        missing += [
            f"index {index.name}"
            for index in sorted(table.indexes, key=lambda index: str(index.name))
            if index.name not in found
        ]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise LostDatabaseError(
            f"{path} lacks {', '.join(missing[:_SHOWN])}{more}: what was in it is lost. Restore a "
            "backup; or move the file away and begin with a new one, without its organizations "
            "and keys: seekroute serve --new-control, said once"
        )
