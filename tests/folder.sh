#!/bin/sh
# Runs one folder of tests beside others: its output comes in one piece, whole if something failed.
log=".cache/tests/$(echo "$1" | tr / -).log"
if .venv/bin/python -m pytest "$1" >"$log" 2>&1; then
    printf '%s: %s\n' "$1" "$(tail -n 1 "$log")"
else
    cat "$log"
    printf '%s: failed, see above\n' "$1" >&2
    exit 1
fi
