"""An engine that delivers PCM as a `SpeechEngine`: what it speaks is encoded, and timed if it came without times."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from libs.speech.adapters.protocol import PcmEngine, SpeechJob
from libs.speech.engine import Model, Rendered, RenderJob, Timings
from libs.speech.espeak import EspeakEngine


class ComposedEngine:
    """`SpeechEngine` of a `PcmEngine`; `fitter` times and encodes what it speaks."""

    def __init__(self, engine: PcmEngine, fitter: EspeakEngine) -> None:
        self._engine = engine
        self._fitter = fitter

    @property
    def name(self) -> str:
        """The engine's stable identifier."""
        return self._engine.name

    @property
    def version(self) -> str:
        """Of the software and the weights that speak."""
        return f"{self._engine.version} {self._engine.model}".strip()

    @property
    def honours(self) -> frozenset[str]:
        """The names of the request parameters that change what this engine speaks."""
        return self._engine.honours

    @property
    def is_ready(self) -> bool:
        """Whether a job would be taken up now."""
        return self._engine.ready

    @property
    def model(self) -> Model:
        """What the engine can do."""
        languages = self._engine.languages
        return Model(
            id=self.name,
            version=self.version,
            description=self._engine.problem or f"Speech by {self._engine.model or self.name}.",
            honours=sorted(self.honours),
            languages=None if languages is None else sorted(languages),
            most_characters=self._engine.longest_text,
            ssml=False,
            timings="aligned",
            custom_voices="cloned" if "reference" in self.honours else "none",
            voices=[voice.name for voice in self._engine.voices()],
        )

    async def start(self) -> None:
        """Make the engine ready to render. Raises EngineUnavailable, and may be called again then."""
        await self._engine.start()

    async def render(self, job: RenderJob) -> Rendered:
        """Speak one text. Cancelling the call stops the work. Raises a PermanentSpeechError or TransientSpeechError."""
        began = perf_counter()
        voice: Mapping[str, object] = job.voice
        language = job.language or str(voice.get("language", ""))
        speech = await self._engine.speak(
            SpeechJob(
                text=job.text,
                voice=str(voice.get("voice", "")),
                language=language,
                speed=job.speed,
                parameters=job.sampling,
                seed=job.seed,
            )
        )
        spoken = perf_counter()
        fitted = await self._fitter.fit(
            job.text,
            speech.pcm,
            speech.sample_rate,
            job.form,
            language=language or "en-US",
            words=speech.words,
            background=job.background,
        )
        return Rendered(
            segment=fitted.segment,
            form=job.form,
            samples=fitted.samples,
            starts=fitted.starts,
            ends=fitted.ends,
            timings=Timings(0.0, spoken - began, perf_counter() - spoken),
            applied={**speech.applied, "alignment_agreement": round(fitted.agreement, 3)},
        )

    async def close(self) -> None:
        """Stop at once and free everything."""
        await self._engine.close()
