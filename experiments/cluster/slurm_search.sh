#!/bin/bash
# A search as an array of SLURM jobs, a GPU each, that share a PostgreSQL server.
#
#     STORAGE=postgresql+psycopg://user@host/database WORKDIR=/shared/search \
#         sbatch experiments/cluster/slurm_search.sh
#
# Start from the folder of the project, with its environment activated. Jobs may be added at any
# time, cancelled and preempted. They end when no trial is left to begin; a last one, which waits
# for them, does what was lost and writes the report:
#
#     STORAGE=... WORKDIR=... sbatch --array=0 --dependency=afterany:JOBID \
#         --export=ALL,LAST=1 experiments/cluster/slurm_search.sh
#SBATCH --job-name=search
#SBATCH --array=0-7
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --time=12:00:00
#SBATCH --requeue
# SIGTERM two minutes before the end: the trial is queued again, for another job.
#SBATCH --signal=TERM@120
#SBATCH --output=search-%A_%a.log
set -euo pipefail
: "${STORAGE:?address of the database}" "${WORKDIR:?folder that all nodes see}"
CONFIG=${CONFIG:-experiments/configs/search.py:rmd17-aspirin}
WAIT=--nowait
[ -n "${LAST:-}" ] && WAIT=--wait
# srun passes the signal on to the program; bash alone would not.
exec srun python -m experiments.search --config="$CONFIG" --workdir="$WORKDIR" \
    --config.storage="$STORAGE" "$WAIT"
