"""Rowids as positions in the source: right only as long as nobody renumbers them."""

from __future__ import annotations

from gymops.errors import SourceError
from gymops.eventlog.workspace import SqliteLog


class Rowids:
    """The schema version of every file as it was before the files were read.

    VACUUM raises it, and VACUUM is what renumbers the rowids of a table that does not declare its own.
    A change of the schema raises it too: then columns may be others than those we planned with.
    """

    def __init__(self, source: SqliteLog) -> None:
        self._files = {file.user_id: file for file in source.files}
        self._versions = {user_id: self._version(user_id) for user_id in self._files}

    def check(self, user_id: str) -> None:
        """See that the rows read so far were those planned; call it before they are committed.

        Raises:
            SourceError: the file was vacuumed, or its schema changed.
        """
        if self._version(user_id) != self._versions[user_id]:
            raise SourceError(
                f"{self._files[user_id].path}: vacuumed, or its schema changed, while it was read",
                hint="run the same command again; what was committed is kept",
            )

    def check_all(self) -> None:
        """The same for every file: after VACUUM a difference would say nothing."""
        for user_id in self._versions:
            self.check(user_id)

    def _version(self, user_id: str) -> int:
        with self._files[user_id].connection() as connection:
            version: int = connection.execute("PRAGMA schema_version").fetchone()[0]
        return version
