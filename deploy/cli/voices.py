"""Commands about voices: list them, make one of recordings, delete one."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.client import GatewayClient, connect
from deploy.cli.speech import Progress, find_voice
from deploy.embedded.errors import StackError
from deploy.embedded.home import find_home

app = typer.Typer(help="List voices, make one of recordings, delete one.", no_args_is_help=True)

_POLL_SECONDS = 0.25
_DEADLINE_SECONDS = 300.0

Category = Annotated[str | None, typer.Option(help="AUDIOBOOK, PODCAST …")]
Language = Annotated[str | None, typer.Option(help="A BCP 47 tag; en stands for en-US, en-GB and so on.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")]


@app.command("list")
def list_voices(
    query: Annotated[str | None, typer.Argument(help="Words in the name or the description.")] = None,
    category: Category = None,
    language: Language = None,
    status: Annotated[str, typer.Option(help="ready, processing or rejected.")] = "ready",
    as_json: AsJson = False,
) -> None:
    """List voices, newest first."""
    client = connect(find_home())
    wanted = {"query": query, "category": category, "language": language, "status": status, "limit": "100"}
    asked = {name: value for name, value in wanted.items() if value}
    if not as_json:
        print(_row("ID", "NAME", "LANGUAGE", "CATEGORY", "VARIANT", "HOW"))
    while True:
        page = client.get("/v1/voices", asked)
        for voice in page["items"]:
            print(json.dumps(voice) if as_json else _told(voice))
        if page["next_cursor"] is None:
            return
        asked["cursor"] = page["next_cursor"]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Unique within the organisation.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Recordings: 10 s of speech in all, 20 MB at most.")
    ],
    language: Annotated[str, typer.Option(help="A BCP 47 tag.")] = "en-US",
    category: Annotated[str, typer.Option(help="AUDIOBOOK, PODCAST …")] = "GENERAL",
    description: Annotated[str, typer.Option()] = "",
) -> None:
    """Make a voice whose timbre is matched to recordings, and wait until they are examined."""
    client = connect(find_home())
    fields = {"name": name, "language": language, "category": category, "description": description}
    with Progress() as progress:
        progress.show("sending the recordings")
        voice = client.send_form("/v1/voices", *form([(path.name, _read(path)) for path in files], fields))
        voice = _until_examined(client, voice, progress)
    if voice["status"] == "rejected":
        reasons = "\n".join(f"  {reason['message']}" for reason in voice["reasons"])
        raise StackError(
            f"No voice can be made of these recordings:\n{reasons}\nIt is kept to look at; "
            f"remove it: antiphon voices delete {voice['id']}"
        )
    print(f"{voice['id']}  {voice['name']}")
    print(how(voice))
    for warning in voice["quality"]["warnings"]:
        print(f"  {warning['message']}")


@app.command()
def delete(voice: Annotated[str, typer.Argument(help="Name or id of a custom voice.")]) -> None:
    """Delete a custom voice. What was spoken with it stays."""
    client = connect(find_home())
    voice_id = find_voice(client, voice)
    client.delete(f"/v1/voices/{voice_id}")
    print(f"deleted {voice_id}")


def form(files: Sequence[tuple[str, bytes]], fields: Mapping[str, str]) -> tuple[bytes, str]:
    """A multipart form and its content type (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for file_name, content in files:
        # Its name means nothing to the service, and may have any character in it.
        plain = "".join(one if one.isalnum() or one in "._-" else "_" for one in file_name)
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{plain}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
        )
    return b"".join((*parts, f"--{boundary}--\r\n".encode())), f"multipart/form-data; boundary={boundary}"


def how(voice: Mapping[str, Any]) -> str:
    """How a voice comes to sound as it does, in a line. Any: JSON of the API."""
    if voice["status"] != "ready":
        return "; ".join(reason["message"] for reason in voice["reasons"]) or str(voice["status"])
    matching = voice["matching"]
    if matching is None:
        return ""
    if matching["method"] == "plain":
        return f"spoken plainly: {matching['reason']}"
    before, after = matching["before"], matching["after"]
    return (
        f"matched, not cloned: pitch off by {before['pitch_error_semitones']:.1f} → "
        f"{after['pitch_error_semitones']:.1f} semitones, spectrum by {before['spectral_distance_db']:.1f} → "
        f"{after['spectral_distance_db']:.1f} dB"
    )


def _until_examined(client: GatewayClient, voice: dict[str, Any], progress: Progress) -> dict[str, Any]:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while voice["status"] == "processing":
        if time.monotonic() > deadline:
            raise StackError(
                f"Voice {voice['id']} is still being examined after {_DEADLINE_SECONDS:g} s.\n"
                "Is the voice service up? Look at: antiphon status and antiphon logs voice"
            )
        progress.show("examining and matching")
        time.sleep(_POLL_SECONDS)
        voice = client.get(f"/v1/voices/{voice['id']}")
    return voice


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from None


def _told(voice: Mapping[str, Any]) -> str:
    columns = (voice["id"], voice["name"], voice["language"], voice["category"], voice["variant"], how(voice))
    return _row(*map(str, columns)).rstrip()


def _row(voice_id: str, name: str, language: str, category: str, variant: str, how_it_is: str) -> str:
    return f"{voice_id:<36}  {name:<24}  {language:<8}  {category:<16}  {variant:<7}  {how_it_is}"
