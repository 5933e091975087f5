"""The storage service: keeps what was made, and sends it to whoever may have it."""

from __future__ import annotations

from functools import partial

from libs.contracts.antiphon.storage.v1.rpc_pb2 import FindMediaRequest, TimesRequest
from libs.messaging.rpc import RpcServer
from libs.objectstore import ByteCache, ObjectStore, PublicSigner
from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier
from libs.web.known import Known, telling
from services.storage.adapters.generations import Generations
from services.storage.adapters.known_tracks import KnownTrack
from services.storage.adapters.probing import Prober
from services.storage.api import create_storage_app
from services.storage.consumers import CONSUMERS
from services.storage.domain.signals import REMOVED
from services.storage.settings import Settings
from services.storage.usecases import Deps, media, sweeping
from services.storage.usecases.timing import tell_times


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        small = ByteCache(most_bytes=settings.audio_cache_bytes, ttl_seconds=settings.audio_cache_seconds)
        known = Known[KnownTrack](telling(runtime.bus, REMOVED))
        deps = Deps(
            database=runtime.database,
            objects=objects,
            signer=PublicSigner(settings.object_store, settings.public_object_store, runtime.clock),
            small=small,
            known=known,
            parts=objects.uploads,
            prober=Prober(objects),
            small_bytes=settings.small_audio_bytes,
            clock=runtime.clock,
            find_audio=Generations(runtime.bus).find_audio,
        )
        identity = IdentityVerifier("storage", settings.identity_key, runtime.clock)
        times = RpcServer(runtime.bus, "storage", "times", TimesRequest, partial(tell_times, deps))
        find_media = RpcServer(runtime.bus, "storage", "find_media", FindMediaRequest, partial(media.find_media, deps))
        return Composition(
            app=create_storage_app(deps, identity, runtime.readiness),
            consumers=CONSUMERS,
            deps=deps,
            rpc=[times, find_media],
            startup=[partial(known.listen, runtime.bus, REMOVED)],
            background=[partial(sweeping.keep_sweeping, deps)],
            closing=[small.close, objects.close],
        )

    run("storage", settings, compose)


if __name__ == "__main__":
    main()
