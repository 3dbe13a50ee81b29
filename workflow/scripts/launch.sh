#!/usr/bin/env bash
# Starts a `gait` subcommand under torchrun, on this node or, inside a SLURM job, on several.
#   launch.sh NODES PROCESSES_PER_NODE THREADS_PER_NODE SUBCOMMAND [ARGUMENT ...]
set -euo pipefail

nodes=$1 processes=$2 threads=$3
shift 3

export OMP_NUM_THREADS=$((threads > processes ? threads / processes : 1))
# Time for the ranks to agree, save and leave between SIGTERM and SIGKILL.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-60}

# gait.engine.runtime.launch is torchrun, with the first failing process's cause as its last words.
if [ "$nodes" -eq 1 ]; then
    exec python -m gait.engine.runtime.launch --standalone --nproc-per-node="$processes" -m gait "$@"
fi

if [ -z "${SLURM_JOB_ID:-}" ]; then
    echo "gait: error: resources.train.nodes is $nodes, which needs SLURM (--profile" \
        "workflow/profiles/slurm); set it to 1 in config/config.yaml to train on this machine" >&2
    exit 1
fi

# The executor hides most SLURM variables from the job, so the controller is asked.
head=$(scontrol show hostnames "$(squeue -h -j "$SLURM_JOB_ID" -o %N)" | head -n 1)
export GAIT_MASTER_ADDRESS GAIT_MASTER_PORT
GAIT_MASTER_ADDRESS=$(scontrol show node "$head" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
GAIT_MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))

# shellcheck disable=SC2016  # expanded on each node
exec srun --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task="$threads" \
    --kill-on-bad-exit=1 bash -c '
    exec python -m gait.engine.runtime.launch --nnodes="$0" --nproc-per-node="$1" \
        --node-rank="$SLURM_PROCID" --master-addr="$GAIT_MASTER_ADDRESS" \
        --master-port="$GAIT_MASTER_PORT" -m gait "${@:2}"
    ' "$nodes" "$processes" "$@"
