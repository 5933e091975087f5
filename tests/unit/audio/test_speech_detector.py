"""The network that is loaded is the one that was tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.audio.speech_detector import DetectorMissing, SpeechDetector


def test_another_network_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "silero_vad" / "data"
    data.mkdir(parents=True)
    (tmp_path / "silero_vad" / "__init__.py").touch()
    (data / "silero_vad_16k_sequence.onnx").write_bytes(b"another one")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DetectorMissing, match=r"requirements/models\.txt"):
        SpeechDetector()


def test_a_missing_network_is_told_by_its_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "silero_vad").mkdir()
    (tmp_path / "silero_vad" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DetectorMissing, match="silero-vad is not installed"):
        SpeechDetector()
