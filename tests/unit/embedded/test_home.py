from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.embedded.errors import StackError
from deploy.embedded.home import LOG_LIMIT_BYTES, STATE_FORMAT, Home, find_home, write_atomically


def test_a_new_home_is_private_and_says_its_version(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    home.prepare()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700
    assert home.version_file.read_text().strip() == STATE_FORMAT
    home.prepare()


def test_a_start_cut_short_is_no_obstacle(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    with home.locked():
        home.open_log("supervisor").close()
    (home.path / "VERSION.new").touch()
    home.prepare()


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StackError, match=r"holds other files \(thesis\.tex\).*\n.*ANTIPHON_HOME="):
        Home(tmp_path).prepare()


def test_a_home_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("antiphon 0 postgresql-12\n")
    with pytest.raises(StackError, match=r"another version \(it says 'antiphon 0 postgresql-12'"):
        Home(tmp_path).prepare()


def test_a_file_in_place_of_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="cannot be used as the state directory"):
        Home(tmp_path / "file").prepare()


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.holder() is None
    with home.locked():
        assert home.holder() is not None
        with pytest.raises(StackError, match="already running"), home.locked():
            pass
    assert home.holder() is None


def test_a_large_log_is_moved_aside_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.open_log("voice").close()
    with home.log("voice").open("r+b") as file:
        file.truncate(LOG_LIMIT_BYTES + 1)
    home.open_log("voice").close()
    assert home.log("voice").stat().st_size == 0
    assert (home.logs / "voice.log.1").stat().st_size == LOG_LIMIT_BYTES + 1


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.log_tail("voice") == ""
    with home.open_log("voice") as log:
        log.write(b"".join(b"line %d\n" % number for number in range(100)))
    assert home.log_tail("voice", 2) == "line 98\nline 99"


def test_the_home_is_what_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_home().path.name == ".antiphon"
    monkeypatch.setenv("ANTIPHON_HOME", str(tmp_path))
    assert find_home().path == tmp_path


def test_writing_does_not_follow_a_planted_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "file.new").symlink_to(victim)
    write_atomically(tmp_path / "file", "text", mode=0o600)
    assert victim.read_text() == "untouched"
    assert (tmp_path / "file").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
