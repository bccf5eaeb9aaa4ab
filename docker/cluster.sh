#!/usr/bin/env bash
# A standalone Spark cluster on this machine, from the Spark that pyspark brings: one master, some workers.
#
#   docker/cluster.sh up | down | status
#
# CLUSTER_PORT (7077), CLUSTER_UI_PORT (8080), CLUSTER_WORKERS (2), CLUSTER_CORES and CLUSTER_MEMORY of each worker
# (1, 4g), CLUSTER_STATE: folder for process ids, logs and work (.cache/cluster). Everything listens on loopback only.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
bin="${VENV:-$root/.venv}/bin"
state="${CLUSTER_STATE:-$root/.cache/cluster}"
port="${CLUSTER_PORT:-7077}"
ui_port="${CLUSTER_UI_PORT:-8080}"
workers="${CLUSTER_WORKERS:-2}"
master="spark://127.0.0.1:$port"

unset SPARK_HOME
export PYSPARK_PYTHON="$bin/python" SPARK_LOCAL_IP=127.0.0.1 SPARK_CONF_DIR="$root/conf"
# Memory of the master's and workers' own processes; executors have theirs beside.
export SPARK_DAEMON_MEMORY=256m SPARK_WORKER_DIR="$state/work"

start() { # name, class, arguments
  local name="$1"
  shift
  nohup "$bin/spark-class" "$@" </dev/null >"$state/$name.log" 2>&1 &
  echo $! >"$state/$name.pid"
}

alive_workers() {
  "$bin/python" - "$ui_port" 2>/dev/null <<'PYTHON' || echo 0
import json, sys, urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(f"http://127.0.0.1:{sys.argv[1]}/json/", timeout=5) as answer:
    print(json.load(answer)["aliveworkers"])
PYTHON
}

up() {
  if compgen -G "$state/*.pid" >/dev/null; then
    echo "A cluster seems to run already ($state). Remedy: $0 down" >&2
    exit 1
  fi
  mkdir -p "$state"
  start master org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" --webui-port "$ui_port"
  for number in $(seq "$workers"); do
    start "worker-$number" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --webui-port 0 \
      --cores "${CLUSTER_CORES:-1}" --memory "${CLUSTER_MEMORY:-4g}" "$master"
  done
  for _ in $(seq 60); do
    if [ "$(alive_workers)" = "$workers" ]; then
      echo "cluster: $master with $workers workers; http://127.0.0.1:$ui_port"
      return
    fi
    sleep 1
  done
  echo "The workers did not register within a minute; see the logs in $state. Remedy: free ports $port and $ui_port, then again." >&2
  down
  exit 1
}

down() {
  local file pid
  for file in "$state"/worker-*.pid "$state"/master.pid; do
    [ -f "$file" ] || continue
    pid="$(cat "$file")"
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.2
    done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$file"
  done
}

case "${1:-}" in
  up) up ;;
  down) down ;;
  status) echo "$(alive_workers) workers of $master" ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
