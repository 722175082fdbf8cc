#!/usr/bin/env bash
# Makes one result of the @shards@ shards and prints its summary.
#SBATCH --job-name=@name@-merge
#SBATCH --output=logs/%x-%j.out
#SBATCH --time=@time@
#SBATCH --cpus-per-task=1
@site@
set -eu
result=@result@
shards=()
for shard in $(seq @shards@); do
  [ -e "shard-$shard.h5" ] || { echo "shard $shard is not finished: ctcdyn status ." >&2; exit 1; }
  shards+=("shard-$shard.h5")
done
[ -e "$result" ] || ctcdyn merge "$result" "${shards[@]}"
exec ctcdyn run study.toml --resume -o "$result" --threads 1 --progress plain # it is finished: summary, picture
