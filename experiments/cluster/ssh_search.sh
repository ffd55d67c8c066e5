#!/bin/bash
# A search on machines that ssh reaches, which see the same folders and one PostgreSQL server.
#
#     STORAGE=postgresql+psycopg://user@host/database WORKDIR=/shared/search \
#         experiments/cluster/ssh_search.sh machine1 machine2
#
# Starts as many workers on each machine as it has GPUs, or one. Run it again with other machines
# and they join. Ctrl-C ends the workers in order; so does `kill` on a machine.
set -euo pipefail
: "${STORAGE:?address of the database}" "${WORKDIR:?folder that all machines see}"
[ $# -gt 0 ] || { echo "usage: $0 MACHINE..." >&2; exit 2; }
CONFIG=${CONFIG:-experiments/configs/search.py:rmd17-aspirin}
PYTHON=${PYTHON:-python}
for machine in "$@"; do
    # -tt: the program there gets the signal when this one ends.
    ssh -tt "$machine" "cd '$PWD' && gpus=\$(nvidia-smi -L 2>/dev/null | wc -l) &&
        exec $PYTHON -m experiments.search --config='$CONFIG' --workdir='$WORKDIR' \
        --config.storage='$STORAGE' --workers=\$((gpus > 1 ? gpus : 1))" \
        < /dev/null 2>&1 | sed "s/^/$machine: /" &
done
trap 'kill $(jobs -p) 2>/dev/null' INT TERM
wait
