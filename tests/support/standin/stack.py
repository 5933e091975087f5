"""`python -m tests.support.standin.stack HOME GATEWAY_PORT MODULE...`: a stack of stand-ins, until a signal ends it.

The first module is the gateway, the others are named `voice`, `generation` and so on. What the supervisor announces is
on standard output, and `READY` once everything is; a failed start is told on standard error, with exit status 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.cli.stack import run_stack
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from deploy.embedded.programs import Program

NAMES = ("gateway", "voice", "generation", "storage")


def programs(modules: list[str]) -> list[Program]:
    prepare = Program("init", "tests.support.standin.once", "once", (), "init", "provisioner")
    served = [
        Program(name, f"tests.support.standin.{module}", "service", ("init",), name, name, int(name != "gateway"))
        for name, module in zip(NAMES, modules, strict=False)
    ]
    return [prepare, *served]


if __name__ == "__main__":
    home, port, *modules = sys.argv[1:]
    try:
        run_stack(
            Home(Path(home)),
            int(port),
            lambda text: print(text, flush=True),
            lambda: print("READY", flush=True),
            programs(modules),
        )
    except StackError as error:
        sys.exit(str(error))
