"""PostgreSQL's backup manifest: every file of a backup with its size and SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "backup_manifest"
_SUM = b'"Manifest-Checksum": "'


class Damaged(Exception):
    """A backup is not what was written; says which file and how."""


@dataclass(frozen=True)
class Manifest:
    """The files by their path, each with size and SHA-256, and the log that is needed beside them."""

    files: dict[str, tuple[int, str]]
    timeline: int
    start_position: str
    end_position: str


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup, checking its own sum. Raises Damaged."""
    try:
        text = (folder / NAME).read_bytes()
        body, _, rest = text.rpartition(_SUM)
        if hashlib.sha256(body).hexdigest() != rest.partition(b'"')[0].decode():
            raise Damaged(f"{folder / NAME} is damaged")
        content = json.loads(text)
        files = {_path(one): (int(one["Size"]), str(one["Checksum"])) for one in content["Files"]}
        (log,) = content["WAL-Ranges"]
        return Manifest(files, int(log["Timeline"]), str(log["Start-LSN"]), str(log["End-LSN"]))
    except (OSError, ValueError, KeyError, UnicodeDecodeError) as error:
        raise Damaged(f"{folder / NAME} cannot be read: {type(error).__name__}") from None


def verify_files(folder: Path) -> Iterator[int]:
    """Read every file of a backup again; yields the bytes of each that is right. Raises Damaged at the first other."""
    for name, (size, checksum) in read_manifest(folder).files.items():
        try:
            with (folder / name).open("rb") as file:
                found = os.fstat(file.fileno()).st_size
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Damaged(f"{folder / name} cannot be read: {error.strerror}") from None
        if found != size:
            raise Damaged(f"{folder / name} has {found} bytes and should have {size}")
        if digest != checksum:
            raise Damaged(f"{folder / name} has changed since it was written: its SHA-256 is another")
        yield size


def share_files(folder: Path, parent: Path) -> None:
    """Replace what the backup before has, too, by links to its files.

    An incremental backup brings every free space map in full: tens of kilobytes for each table of each database.
    """
    before = read_manifest(parent).files
    for name, known in read_manifest(folder).files.items():
        if before.get(name) == known and known[0]:
            temporary = folder / (name + ".link")
            try:
                os.link(parent / name, temporary)
            except OSError:
                return  # a file system without links: everything stays as it was written
            temporary.replace(folder / name)


def _path(entry: dict[str, str]) -> str:
    # Names that are no UTF-8 come as hexadecimal; PostgreSQL itself has none of them.
    return entry["Path"] if "Path" in entry else os.fsdecode(bytes.fromhex(entry["Encoded-Path"]))
