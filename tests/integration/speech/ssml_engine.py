"""An engine process that speaks markup, for the test of what the engine makes of it: JSON lines in, JSON lines out.

python -m tests.integration.speech.ssml_engine
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pyworld

from libs.speech.espeak_native import Espeak

FLAGS = 1 | 0x10 | 0x100
"""UTF-8, SSML, and phonemes in double brackets."""


class MarkupEspeak(Espeak):
    """Speaks SSML; all the rest is the engine's."""

    def speak_markup(self, text: str, flags: int) -> dict[str, object]:
        pieces: list[bytes] = []
        self._sink, self._words, self._phonemes = pieces.append, [], []
        self._remaining = 22050 * 600
        encoded = text.encode() + b"\0"
        status = self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, flags, None, None)
        if status != 0:
            raise RuntimeError(f"the engine did not speak: {status}")
        pcm = np.frombuffer(b"".join(pieces), np.int16).astype(np.float64)
        frequencies = pyworld.dio(pcm[: 20 * self.sample_rate], self.sample_rate)[0] if pcm.any() else np.zeros(1)
        voiced = frequencies[frequencies > 0]
        return {
            "words": self._words,
            "phonemes": self._phonemes,
            "samples": len(pcm),
            "loudness": float(np.sqrt(np.mean(pcm**2))) if len(pcm) else 0.0,
            "pitch": float(np.median(voiced)) if len(voiced) else 0.0,
            "spread": float(np.std(12 * np.log2(voiced / np.median(voiced)))) if len(voiced) else 0.0,
        }


def main() -> None:
    espeak = MarkupEspeak()
    for line in sys.stdin:
        voice, text, flags = json.loads(line)
        espeak.set_voice(voice, None, "en-US")
        espeak.set_parameters(rate=175, pitch=None, pitch_range=None, volume=None, word_gap=None)
        sys.stdout.write(json.dumps(espeak.speak_markup(text, flags)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
