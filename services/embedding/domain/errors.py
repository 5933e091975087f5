"""Why no vectors could be made."""

from __future__ import annotations


class EmbeddingError(Exception):
    """No vectors could be made. The message says what to do."""


class EmbeddingModelInvalid(EmbeddingError):
    """The local model is missing or not the one that this release was built for."""


class EmbeddingRefused(EmbeddingError):
    """The provider will answer the same way again: wrong key, unknown model, text too long, wrong dimensions."""


class EmbeddingUnavailable(EmbeddingError):
    """The provider did not answer in time, however often it was asked; later it may."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which the provider asked to be called again, if it said so."""


class FilesUnreadable(Exception):
    """No process that reads files can be started; nothing is wrong with the file."""


class ModelChanged(EmbeddingError):
    """The index was made with another model, which is needed until all is embedded anew, and is not configured."""

    def __init__(self, indexed: str, configured: str) -> None:
        super().__init__(
            f"The search index was made with {indexed}, but {configured} is configured. Until everything is embedded "
            f"anew, searches need {indexed}: say where it is by ANTIPHON_EMBEDDING_FORMER_URL, or configure it again."
        )
