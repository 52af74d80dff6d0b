"""Files on their way into the channel: an address to upload to, the upload, and where it is shared.

Sources: Slack's pages of the methods ``files.getUploadURLExternal`` (``alt_txt_too_large`` above
1,000 characters, ``missing_argument`` for no length) and ``files.completeUploadExternal`` (a file
is shared by channel id; ``thread_ts`` is a parent's, never a reply's).
"""

import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.slack_inbox.workspace import SlackError

_MAX_ALT = 1000
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file; ``content`` is empty until it is uploaded."""

    id: str
    name: str
    length: int
    alt: str
    title: str = ""
    content: bytes = b""

    @property
    def is_picture(self) -> bool:
        """Whether the content is what a page can show."""
        return self.content.startswith(_PNG)

    def as_json(self) -> dict[str, Any]:
        """Return what an answer and ``/messages.json`` say of it."""
        return {"id": self.id, "name": self.name, "title": self.title, "alt_txt": self.alt}


class Uploads:
    """Files that were announced, uploaded, or are shared by now. Thread-safe."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def announce(self, given: Mapping[str, Any]) -> File:
        """Name a file that is to be uploaded.

        Raises:
            SlackError: missing_argument, invalid_arguments, alt_txt_too_large.
        """
        name, alt = str(given.get("filename") or ""), str(given.get("alt_txt") or "")
        try:
            length = int(given.get("length") or 0)
        except ValueError as error:
            raise SlackError("invalid_arguments") from error
        if not name or length <= 0:
            raise SlackError("missing_argument")
        if len(alt) > _MAX_ALT:
            raise SlackError("alt_txt_too_large")
        with self._lock:
            file_id = f"F0LOCAL{next(self._numbers):04d}"
            file = File(id=file_id, name=name, length=length, alt=alt)
            self._files[file_id] = file
            return file

    def upload(self, file_id: str, content: bytes) -> bool:
        """Take the content; False where no such file of that length was announced."""
        with self._lock:
            file = self._files.get(file_id)
            if file is None or file.content or len(content) != file.length:
                return False
            self._files[file_id] = replace(file, content=content)
            return True

    def complete(self, given: Mapping[str, Any]) -> tuple[File, ...]:
        """Take the files of a request out of the uploads, with their titles.

        Raises:
            SlackError: invalid_arguments, file_not_found.
        """
        asked = given.get("files")
        try:
            asked = json.loads(asked) if isinstance(asked, str) else asked
        except ValueError as error:
            raise SlackError("invalid_arguments") from error
        if not isinstance(asked, list) or not all(isinstance(each, dict) for each in asked):
            raise SlackError("invalid_arguments")
        with self._lock:
            found = []
            for each in asked:
                file = self._files.get(str(each.get("id")))
                if file is None or not file.content:
                    raise SlackError("file_not_found")
                found.append(replace(file, title=str(each.get("title") or file.name)))
            for file in found:
                del self._files[file.id]
            return tuple(found)
