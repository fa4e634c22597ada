"""Alembic's entry point: runs on the connection, and in the transaction, that the caller opened.

A new revision is a file `versions/NNNN_what_it_does.py` whose revision id is NNNN, the next number:
database.py reads the order of the revisions from the file names.
"""

from __future__ import annotations

from alembic import context

from seekroute.control.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
