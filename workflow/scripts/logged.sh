#!/usr/bin/env bash
# Runs a command whose progress is for the screen and for its log, and whose errors are for the log:
# the workflow shows them when it ends, as the last words, and once.
#   logged.sh LOG COMMAND [ARGUMENT ...]
set -euo pipefail

log=$1
shift

: >"$log"
# A preempted job's whole family gets SIGTERM; what is said while the ranks save has to be written
# still, or the write fails and the checkpoint with it.
exec > >(trap '' TERM INT HUP; exec tee --append "$log") 2>>"$log"

export PYTHONUNBUFFERED=1
exec "$@"
