"""The `antiphon` command: what it consists of."""

from __future__ import annotations

import sys

import typer

from deploy.cli import (
    audit,
    backup,
    dlq,
    embedding,
    events,
    projections,
    provision,
    speech,
    stack,
    storage,
    usage,
    voices,
)
from deploy.embedded.errors import StackError

app = typer.Typer(
    help="Antiphon: text in, speech with character-level timing out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.logs)
app.command()(stack.env)
app.command()(stack.init)
app.command()(stack.migrate)
app.command()(provision.provision)
app.command()(speech.speak)
app.add_typer(audit.app, name="audit")
app.add_typer(backup.app, name="backup")
app.command()(backup.backups)
app.command()(backup.restore)
app.add_typer(voices.app, name="voices")
app.add_typer(dlq.app, name="dlq")
app.add_typer(events.app, name="events")
app.add_typer(projections.app, name="projections")
app.add_typer(embedding.app, name="embedding")
app.add_typer(storage.app, name="storage")
app.add_typer(usage.app, name="usage")


def main() -> None:
    """Run the command; what goes wrong is said in one place, on standard error, with exit status 1."""
    try:
        app()
    except StackError as error:
        sys.exit(f"antiphon: {error}")
    except PermissionError as error:
        sys.exit(
            f"antiphon: {error.strerror}: {error.filename}\nRun this as the account that owns the state directory."
        )


if __name__ == "__main__":
    main()
