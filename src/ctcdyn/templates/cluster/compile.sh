#!/usr/bin/env bash
# Compiles the kernel once, so that the shards only load it, and says what the study needs.
#SBATCH --job-name=@name@-compile
#SBATCH --output=logs/%x-%j.out
#SBATCH --time=1:00:00
#SBATCH --cpus-per-task=1
@site@
set -eu
command -v ctcdyn >/dev/null || { echo "ctcdyn is not in PATH: activate its environment, then submit" >&2; exit 1; }
exec ctcdyn estimate study.toml --threads 1
