#!/usr/bin/env bash
# A SLURM of one node, for tests: controller, node and munge are processes of this user, and everything is in one folder.
#   slurm_node.sh start DIR   prints the SLURM_CONF to export        slurm_node.sh stop DIR
# Needs slurmctld, slurmd and munged (Debian: slurm-wlm munge). Key, sockets and ports are its own, so that it disturbs no
# other SLURM and several can run at once. No cgroups, no accounting, no systemd.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
usage() { echo "usage: slurm_node.sh start|stop DIR" >&2; exit 2; }
[ $# = 2 ] || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd -P)

free_ports() {
  python3 - <<'PY'
import socket
held = [socket.socket() for _ in range(2)]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))
PY
}

write_configuration() {
  local host controller node
  host=$(uname -n)
  read -r controller node < <(free_ports)
  cat >"$dir/slurm.conf" <<CONF
ClusterName=ctcdyn_tests
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=10
SchedulerParameters=batch_sched_delay=1,sched_interval=5,requeue_delay=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=${SLURM_NODE_CPUS:-2} State=UNKNOWN
PartitionName=tests Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
}

case $1 in
start)
  umask 077
  mkdir -p "$dir/state" "$dir/spool"
  chmod 755 "$dir" "$dir/spool"
  write_configuration
  dd if=/dev/urandom of="$dir/munge.key" bs=1 count=1024 status=none
  chmod 600 "$dir/munge.key"
  umask 022
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munged.seed" >"$dir/munged.out" 2>&1
  export SLURM_CONF=$dir/slurm.conf
  slurmctld >"$dir/slurmctld.out" 2>&1
  slurmd >"$dir/slurmd.out" 2>&1
  for _ in $(seq 60); do
    if sinfo -h -o %T 2>/dev/null | grep -qx idle; then
      echo "$SLURM_CONF"
      exit 0
    fi
    sleep 0.5
  done
  echo "the node does not come up:" >&2
  tail -n 5 "$dir"/*.log "$dir"/*.out >&2 || true
  exit 1
  ;;
stop)
  export SLURM_CONF=$dir/slurm.conf
  scancel -u "$(id -un)" >/dev/null 2>&1 || true
  for _ in $(seq 40); do
    [ -n "$(squeue -h 2>/dev/null)" ] || break
    sleep 0.5
  done
  for daemon in slurmd slurmctld munged; do
    [ -s "$dir/$daemon.pid" ] || continue
    pid=$(cat "$dir/$daemon.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 40); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.25
    done
  done
  ;;
*) usage ;;
esac
