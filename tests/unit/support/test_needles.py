"""Whatever is looked for is found, in each form in which it may have been written down, wherever that lies."""

from __future__ import annotations

import base64
import random
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.needles import Needles, forms_of_address, forms_of_bytes, forms_of_id, forms_of_text

V4, V6, ID = "198.51.207.233", "2001:db8:77aa:1234::1", UUID("01990a6e-7b1c-4d5e-9f0a-3c5b8e2d4f61")
NEEDLES = Needles(
    [
        ("v4", forms_of_address(V4)),
        ("v6", forms_of_address(V6)),
        ("id", forms_of_id(ID)),
        ("browser", forms_of_text("Rohrdommel/7 (Schilf; nobody)")),
        ("token", forms_of_bytes(sha256(b"token").digest()[:16])),
        *((f"other {number}", forms_of_text(f"someone-{number}@example.org")) for number in range(2000)),
    ]
)
WINDOW = 1 << 16
NOISE = random.Random(7).randbytes(WINDOW + 1000)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("v4", b"from 198.51.207.233."),
        ("v4", b'{"ip":"::ffff:198.51.207.233"}'),
        ("v4", b"\x02\x20" + ip_address(V4).packed),
        ("v4", V4.encode().hex().encode()),
        ("v4", sha256(V4.encode()).digest()),
        ("v4", sha256(V4.encode()).hexdigest().encode()),
        ("v6", V6.encode()),
        ("v6", b"2001:0db8:77aa:1234:0000:"),
        ("v6", b"2001%3Adb8%3A77aa%3A1234%3A%3A1"),
        ("v6", ip_address(V6).packed),
        ("v6", ip_address(V6).packed[:8] + b"\1\2\3\4\5\6\7\x08"),
        ("id", str(ID).encode()),
        ("id", ID.hex.encode()),
        ("id", ID.hex.upper().encode()),
        ("id", ID.bytes),
        ("browser", b"Rohrdommel/7 (Schilf; nobody)"),
        ("browser", b"Rohrdommel%2F7%20%28Schilf%3B%20nobody%29"),
        ("token", sha256(b"token").digest()),
        ("token", b"\\x" + sha256(b"token").hexdigest().encode()),
        ("other 1999", b"someone-1999@example.org"),
        *(("token", base64.b64encode(b"?" * before + sha256(b"token").digest())) for before in range(3)),
        *(("v4", base64.urlsafe_b64encode(b'"ip":'[before:] + V4.encode() + b'"')) for before in range(3)),
    ],
)
def test_it_is_found(name: str, written: bytes) -> None:
    for before, after in ((4711, 100), (0, 0), (0, 7), (9, 0)):
        found = NEEDLES.in_bytes(NOISE[:before] + written + NOISE[:after])
        assert list(found) == [name]
        assert before <= found[name] <= before + len(written)


@pytest.mark.parametrize("place", [WINDOW - 15, WINDOW - 3, WINDOW, len(NOISE)])
def test_it_is_found_over_the_end_of_what_is_looked_at_together(place: int) -> None:
    assert NEEDLES.in_bytes(NOISE[:place] + V4.encode() + NOISE[place:]) == {"v4": place}


def test_nothing_is_found_where_nothing_is() -> None:
    assert NEEDLES.in_bytes(NOISE) == {}
    assert NEEDLES.in_bytes(b"") == NEEDLES.in_bytes(bytes(9_000_000)) == NEEDLES.in_bytes(b"198") == {}


def test_files_are_looked_into_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "empty").touch()
    (tmp_path / "zeros").write_bytes(bytes(100))
    (tmp_path / "a" / "b" / "log").write_text(f"request from {V4}\n")
    assert NEEDLES.below(tmp_path) == {"v4": ["a/b/log"]}


def test_a_file_that_is_renamed_while_others_are_looked_into_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the log is: what was `.partial` when the files were listed has another name when it is full."""
    (tmp_path / "a").write_text("nobody")
    (tmp_path / "b.partial").write_text(V4)
    look_into = NEEDLES.in_file

    def renaming(path: Path) -> dict[str, int]:
        if path.name == "a":
            (tmp_path / "b.partial").rename(tmp_path / "b")
        return look_into(path)

    monkeypatch.setattr(NEEDLES, "in_file", renaming)
    assert NEEDLES.below(tmp_path) == {"v4": ["b"]}
