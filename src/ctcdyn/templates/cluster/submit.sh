#!/usr/bin/env bash
# Submits the study: compile job, array of @shards@ shards, merge job. With a list (bash submit.sh 3,7-9) only these
# shards and the merge job. A merge job whose shards failed is cancelled by the scheduler, not left waiting.
set -eu
cd -- "$(dirname -- "$0")"
if [ $# = 0 ]; then
  compiling=$(sbatch --parsable compile.sh)
  array=$(sbatch --parsable --dependency="afterok:${compiling%%;*}" --kill-on-invalid-dep=yes shards.sh)
else
  compiling=-
  array=$(sbatch --parsable --array="$1" shards.sh)
fi
echo "${array%%;*}" >>jobs
merging=$(sbatch --parsable --dependency="afterok:${array%%;*}" --kill-on-invalid-dep=yes merge.sh)
echo "submitted: ${compiling%%;*} compile, ${array%%;*} array [${1:-1-@shards@}], ${merging%%;*} merge"
