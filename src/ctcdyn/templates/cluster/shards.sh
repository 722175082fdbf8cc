#!/usr/bin/env bash
# Runs one shard of @shards@, or goes on with it: as a task of a job array, or by hand in this folder: bash shards.sh 3
#SBATCH --job-name=@name@
#SBATCH --output=logs/%x-%A_%a.out
#SBATCH --open-mode=append
#SBATCH --array=1-@shards@
#SBATCH --time=@time@
#SBATCH --cpus-per-task=@cpus@
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
@site@
set -u
shard=${SLURM_ARRAY_TASK_ID:-${PBS_ARRAY_INDEX:-${LSB_JOBINDEX:-${1:?which shard, 1 to @shards@}}}}
result=shard-$shard.h5
again=${SLURM_RESTART_COUNT:-0}
command -v ctcdyn >/dev/null || { echo "ctcdyn is not in PATH: activate its environment, then submit" >&2; exit 1; }

# An earlier try may have died on another node and left its lock. Nobody can prove that from here but the scheduler:
# the lock is removed when the job that wrote its number is this one (requeued), or is not among the user's live jobs.
if [ -n "${SLURM_JOB_ID:-}" ]; then
  if [ -e "$result.parts/lock" ] && [ -e "$result.job" ]; then
    before=$(cat "$result.job")
    if [ "$before" = "$SLURM_JOB_ID" ]; then
      rm -f "$result.parts/lock"
    elif live=$(squeue -h -u "$(id -un)" -t running,completing -o %A) && ! grep -qx -- "$before" <<<"$live"; then
      rm -f "$result.parts/lock"
    fi
  fi
  echo "$SLURM_JOB_ID" >"$result.job"
fi

# The scheduler's warning goes to this shell only (B:USR1), so it is handed on, and the run commits what is finished.
asked=
child=
hand_on() {
  asked=$1
  [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null || true
}
trap 'hand_on USR1' USR1
trap 'hand_on TERM' TERM
echo "shard $shard of @shards@ on $(uname -n), begun $(date -u +%FT%TZ), requeued $again times before"
ctcdyn run study.toml --shard "$shard/@shards@" --resume -o "$result" -s output.picture=false --progress plain \
  --threads "${SLURM_CPUS_PER_TASK:-@cpus@}" &
child=$!
[ -z "$asked" ] || kill -s "$asked" "$child" 2>/dev/null || true
while kill -0 "$child" 2>/dev/null; do # a signal ends `wait`, not the run
  wait "$child"
done
wait "$child"
code=$?

[ "$code" != 138 ] || code=75 # the warning came before the run could take it: nothing was lost
if [ "$code" = 4 ]; then
  echo "shard $shard is complete, but more trajectories failed than allowed: the merge job judges the whole"
  code=0
fi
# The id of a task, not $SLURM_JOB_ID: for one task of the array that is the array's own, and would requeue all.
# Only the warning before the time limit is answered with a requeue. TERM comes from scancel, or from a preemption that
# requeues by itself (--requeue).
if [ "$code" = 75 ] && [ "$asked" = USR1 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
  if [ "$again" -ge 100 ]; then
    echo "requeued $again times: not again; ctcdyn status shows how far the shard is" >&2
  else
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$shard" || echo "not requeued: ctcdyn status shows how to go on" >&2
  fi
fi
exit "$code"
