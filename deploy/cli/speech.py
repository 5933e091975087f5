"""`antiphon speak`: a text becomes an audio file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

import typer

from deploy.cli.client import ApiError, GatewayClient, connect
from deploy.embedded.errors import StackError
from deploy.embedded.home import find_home

HELLO = "Hello. This is Antiphon, and everything that you hear was made on this machine."

_POLL_SECONDS = 0.1
_DEADLINE_SECONDS = 300.0
"""Without any progress."""
_VOICES_SECONDS = 30.0
_INTERACTIVE_CHARACTERS = 5000
_BY_SUFFIX = {f".{name}": name for name in ("mp3", "wav", "opus", "ogg", "flac", "aac", "pcm", "ulaw", "alaw")}


def speak(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("speech.mp3"),
    voice: Annotated[
        str | None, typer.Option(help="Name or id of a voice; the first of the library if absent.")
    ] = None,
    audio_format: Annotated[
        str | None,
        typer.Option("--format", help="mp3, wav, opus, flac, mp3_44100_128 …; by the file's name if absent."),
    ] = None,
) -> None:
    """Speak a text into an audio file; of a long one the progress is shown."""
    client = connect(find_home())
    words = sys.stdin.read() if text == "-" else text
    chosen = audio_format or _BY_SUFFIX.get(output.suffix.lower(), "mp3")
    if not output.absolute().parent.is_dir():
        raise StackError(f"There is no directory {output.absolute().parent} to write {output.name} into.")
    with Progress() as progress:
        progress.show("choosing a voice")
        voice_id = find_voice(client, voice)
        request = {"text": words, "voice_id": voice_id, "format": chosen}
        if len(words) > _INTERACTIVE_CHARACTERS:
            request["mode"] = "job"
        generation = client.post("/v1/generations", request)
        generation = _wait_until_completed(client, generation, progress.show)
        progress.show("downloading")
        audio = client.download(f"/v1/generations/{generation['id']}/audio")
    output.write_bytes(audio)
    print(f"{output}  ({len(audio) / 1000:,.0f} kB, voice {generation.get('voice_name') or voice_id})")


def say_hello(client: GatewayClient, file: Path) -> None:
    """Speak the first sentence of a new stack, waiting for it in one request, and write it to `file`."""
    request = {"text": HELLO, "voice_id": find_voice(client, None)}
    generation = _post_when_known(client, request)
    generation = _wait_until_completed(client, generation, show=lambda _: None)
    audio = client.download(f"/v1/generations/{generation['id']}/audio")
    partial = file.with_name(file.name + ".new")
    partial.write_bytes(audio)
    partial.replace(file)


def _post_when_known(client: GatewayClient, request: dict[str, Any]) -> dict[str, Any]:
    """Ask for speech; of a new stack the voices may not be known everywhere yet."""
    deadline = time.monotonic() + _VOICES_SECONDS
    while True:
        try:
            return client.post("/v1/generations", request, headers={"Prefer": "wait=30"})
        except ApiError as error:
            if error.code != "unknown_voice" or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def find_voice(client: GatewayClient, wanted: str | None) -> str:
    """The id of the voice with this name or id; of the first one in the library when nothing is wanted.

    Raises StackError when no voice, or more than one, goes by that name.
    """
    if wanted is None:
        voices = client.get("/v1/voices")["items"]
        if not voices:
            raise StackError("The library has no voices. System voices are added when the voice service starts.")
        return str(voices[0]["id"])
    if _is_id(wanted):
        return wanted
    voices = client.get("/v1/voices", {"query": wanted})["items"]
    exact = [voice for voice in voices if voice["name"].casefold() == wanted.casefold()]
    found: list[dict[str, Any]] = exact or voices
    if len(found) == 1:
        return str(found[0]["id"])
    if not found:
        raise StackError(f"No voice is called '{wanted}'. List them: antiphon voices list")
    names = ", ".join(f"{voice['name']} ({voice['id']})" for voice in found[:5])
    raise StackError(f"Several voices match '{wanted}': {names}. Give the id of one.")


def _wait_until_completed(
    client: GatewayClient, generation: dict[str, Any], show: Callable[[str], None]
) -> dict[str, Any]:
    """Ask until the generation has its audio. Raises StackError when it failed or does not come to an end."""
    deadline, done = time.monotonic() + _DEADLINE_SECONDS, -1
    while generation["status"] in ("pending", "processing"):
        progress = generation.get("progress") or {"chunks_done": 0, "chunks_total": 0}
        if progress["chunks_done"] > done:
            deadline, done = time.monotonic() + _DEADLINE_SECONDS, progress["chunks_done"]
        if time.monotonic() > deadline:
            raise StackError(
                f"Generation {generation['id']} is still {generation['status']} after {_DEADLINE_SECONDS:g} s.\n"
                "Are the workers up? Look at: antiphon status and antiphon logs worker"
            )
        share = f", {done} of {progress['chunks_total']} pieces" if progress["chunks_total"] else ""
        show(f"speaking ({generation['status']}{share})")
        time.sleep(_POLL_SECONDS)
        generation = client.get(f"/v1/generations/{generation['id']}")
    if generation["status"] != "completed":
        error = generation.get("error") or {"code": generation["status"], "message": "no reason given"}
        raise StackError(f"The generation is {generation['status']}: {error['message']} [{error['code']}]")
    return generation


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class Progress:
    """One line on a terminal that says what goes on and for how long; nothing where there is no terminal."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._visible = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._visible:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def show(self, what: str) -> None:
        if self._visible:
            elapsed = time.monotonic() - self._began
            print(f"\r\033[K{elapsed:5.1f} s  {what}", end="", file=sys.stderr, flush=True)
