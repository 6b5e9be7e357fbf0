#!/bin/bash
#SBATCH --job-name=vrm-synth
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem=24G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.log
#SBATCH --open-mode=append
#
# One dataset by sixteen jobs of eight processes each, and then its table, card and completion mark:
#
#   job=$(sbatch --parsable examples/slurm_array.sh recipe.yaml /shared/pictures)
#   sbatch --dependency=afterok:$job --wrap "vrm-synth finish /shared/pictures"
#
# The folder (or s3://bucket/pictures) and the avatars must be the same from every node. A job that was pre-empted
# or killed is submitted again as it is: what is finished is not touched. More jobs later, or another number of
# them, is fine, too.
set -euo pipefail

recipe=$1
out=$2
shift 2 # whatever follows is render's: --format webdataset, …

exec vrm-synth render "$recipe" -o "$out" \
    --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN))/$SLURM_ARRAY_TASK_COUNT" \
    --workers "${SLURM_CPUS_PER_TASK:-1}" "$@"
