"""Commands that run the embedded stack and look at it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from deploy.cli.client import GatewayClient
from deploy.cli.logs import follow_logs, print_logs
from deploy.cli.speech import say_hello
from deploy.embedded.credentials import read_secret
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home, find_home
from deploy.embedded.programs import INIT, Program, choose_programs
from deploy.embedded.record import StackRecord, read_record

DEFAULT_PORT = 8080


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return when the system is ready; it runs on.")] = False,
) -> None:
    """Start the whole system; the first time, let it speak a sentence."""
    home, port = find_home(), gateway_port()
    if home.holder() is not None:
        print(_say_running(home))
        return
    home.prepare()
    if not detach:
        run_stack(home, port, say, lambda: _greet_or_explain(home, port))
        return
    from deploy.embedded.daemon import run_in_background

    print(f"starting in {home.path}")
    with home.open_log("supervisor") as log:
        run_in_background(lambda announce, ready: run_stack(home, port, announce, ready), log, say)
    greet(home, port, stop_hint="antiphon down")


def run_stack(
    home: Home,
    port: int,
    announce: Callable[[str], None],
    when_ready: Callable[[], None],
    programs: Sequence[Program] | None = None,
) -> None:
    """Supervise the stack until a signal ends it; `when_ready` runs in a thread once everything is ready."""
    from deploy.embedded.supervisor import Supervisor

    async def ready() -> None:
        await asyncio.to_thread(when_ready)

    chosen = choose_programs(os.environ) if programs is None else programs
    with home.locked():
        asyncio.run(Supervisor(home, gateway_port=port, announce=announce, programs=chosen).run(ready))


def greet(home: Home, port: int, *, stop_hint: str) -> None:
    """Say where everything is; before that, on a new stack, have the first sentence spoken."""
    url = f"http://127.0.0.1:{port}"
    if not home.hello_file.exists():
        began = time.monotonic()
        say_hello(GatewayClient(url, read_secret(home.secrets, "api_key")), home.hello_file)
        say(f"The first sentence took {time.monotonic() - began:.2f} s: {home.hello_file}")
    say(
        f"\nAntiphon is ready on {url}\n\n"
        "Try next:\n"
        f'  eval "$(antiphon env)"; curl -H "Authorization: Bearer $ANTIPHON_API_KEY" $ANTIPHON_URL/v1/voices\n'
        '  antiphon speak "Any text that you like" -o out.mp3\n'
        f"  antiphon status    (stop it: {stop_hint})\n"
    )


def _greet_or_explain(home: Home, port: int) -> None:
    """In the foreground the stack stays up even when it could not speak: whoever looks for the cause needs it."""
    try:
        greet(home, port, stop_hint="Ctrl-C here")
    except StackError as error:
        say(f"The stack runs, but its first sentence failed: {error}\nLook at: antiphon status and antiphon logs")


def say(text: str) -> None:
    """Print a line if anybody still reads it. A terminal that was closed must not keep the stack from stopping."""
    with suppress(OSError):
        print(text, flush=True)


def down() -> None:
    """Stop the whole system, in order."""
    from deploy.embedded.stopping import stop_stack

    stop_stack(find_home(), print)


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """Show what runs and whether it is healthy; exit status 1 when something is not."""
    from deploy.cli.status import examine, render

    report = asyncio.run(examine(find_home()))
    print(json.dumps(report.as_json(), indent=2) if as_json else render(report))
    if not report.healthy:
        raise typer.Exit(1)


def logs(
    name: Annotated[str | None, typer.Argument(help="One process, such as gateway or postgres; all if absent.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of the past.")] = 40,
) -> None:
    """Print the logs of the processes."""
    home = find_home()
    if follow:
        follow_logs(home, name, lines)
    else:
        print_logs(home, name, lines)


def env() -> None:
    """Print shell exports: addresses, credentials and the API key. Use: eval "$(antiphon env)"."""
    from deploy.embedded.environment import shell_exports
    from deploy.embedded.ports import read_ports

    home = find_home()
    _running_record(home)
    for name, value in shell_exports(home, read_ports(home.ports_file)).items():
        print(f"export {name}={shlex.quote(value)}")


def init() -> None:
    """Prepare databases, streams and the bucket that the environment names. Safe to run again."""
    from deploy.init import main as initialise

    initialise()


def migrate() -> None:
    """Bring the databases of the running stack to the current schema, and its streams and bucket with them."""
    from deploy.embedded.environment import program_environment
    from deploy.embedded.ports import read_ports

    home = find_home()
    _running_record(home)
    environment = program_environment(INIT, home, read_ports(home.ports_file), os.environ)
    if subprocess.run([sys.executable, "-m", INIT.module], env=environment, check=False).returncode != 0:
        raise StackError("The migration failed, see above. It can be run again after the cause is gone.")
    print("Databases, streams and bucket are up to date.")


def gateway_port() -> int:
    """The port that ANTIPHON_PORT names, else 8080. Raises StackError when it is not a port."""
    text = os.environ.get("ANTIPHON_PORT") or str(DEFAULT_PORT)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise StackError(f"ANTIPHON_PORT must be a number from 1 to 65535, not '{text}'.")
    return int(text)


def _running_record(home: Home) -> StackRecord:
    record = read_record(home)
    if record is None or home.holder() is None:
        raise StackError(f"No stack is running in {home.path}. Start it: antiphon up --detach")
    return record


def _say_running(home: Home) -> str:
    record = read_record(home)
    if record is None or record.state == "starting":
        raise StackError(f"A stack is just being started in {home.path} (pid {home.holder()}); see: antiphon status")
    if record.state == "stopping":
        raise StackError(f"The stack in {home.path} is just being stopped (pid {home.holder()}). Try again after that.")
    where = record.urls.get("gateway", "unknown")
    return f"Antiphon is already running on {where} (pid {record.supervisor_pid}, state in {home.path})."
