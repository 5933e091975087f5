"""The voice service: keeps the library of voices and tells the others about it."""

from __future__ import annotations

from libs.audio.intake import Intake
from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run, usable_cores
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.espeak import EspeakEngine
from libs.web import IdentityVerifier, create_app
from services.voice.adapters.aligning import Aligner
from services.voice.adapters.matching import match_timbre
from services.voice.adapters.quota import VoiceQuota
from services.voice.adapters.uploads import Uploads
from services.voice.api import PROBLEMS, router
from services.voice.consumers import CONSUMERS
from services.voice.settings import Settings
from services.voice.usecases import Deps, Workshop, seed_system_voices

MOST_ENGINE_PROCESSES = 4
"""The previews are spoken once, at the first start: more processes would take longer to start than they save."""


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        intake = Intake()
        deps = Deps(
            database=runtime.database,
            objects=objects,
            clock=runtime.clock,
            examine=intake.examine,
            align=Aligner().align,
            quota=VoiceQuota(runtime.bus),
            find_uploads=Uploads(runtime.bus).find,
        )
        app = create_app(
            "voice",
            router,
            identity=IdentityVerifier("voice", settings.identity_key, runtime.clock),
            problems=PROBLEMS,
            readiness=runtime.readiness,
            deps=deps,
        )

        async def seed() -> None:
            engine = EspeakEngine(min(MOST_ENGINE_PROCESSES, usable_cores()))
            await seed_system_voices(deps, engine, SYSTEM_VOICES)

        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=Workshop(runtime.database, objects, runtime.clock, intake.examine, match_timbre),
            startup=[seed],
            closing=[intake.close, objects.close],
        )

    run("voice", settings, compose)


if __name__ == "__main__":
    main()
