"""The topics of the signals between the generation service and its speech workers."""

from __future__ import annotations

WORK = "speech-work"
"""There is work in the queue."""
STOP = "speech-stop"
"""Nobody wants a rendition any more; with its id."""
PROGRESS = "speech-progress"
"""A rendition has got a chunk, its audio, or has failed; with its id, and with what is completed by its audio."""
DELETED = "generation-deleted"
"""A generation is gone, with its id, or all of an organisation, with that one's."""
OFFER = "speech-offer"
"""A short text that is being written down, for one worker to begin with already; with the id of its work."""
BEGUN = "speech-begun"
"""A worker has begun with what was offered; with the id of the work, and the worker's as its content."""
ENTRUSTED = "speech-entrusted"
"""What was begun is written down, as work that the worker has; with the id of the work, and the
worker's as its content."""
FIRST = "speech-first"
"""The first piece of a rendition that is heard while it is spoken, as it is kept, before it is; with its id."""
