#!/bin/bash
# Runs a command in the repository's environment, with ROS 2 Jazzy sourced where the image has it.
set -e
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ -f /opt/ros/jazzy/setup.bash ]; then
  # shellcheck disable=SC1091
  source /opt/ros/jazzy/setup.bash
  export AMENT_PREFIX_PATH="$root/.venv:$AMENT_PREFIX_PATH"
  export LD_LIBRARY_PATH="$root/.venv/lib:$LD_LIBRARY_PATH"
fi
export PATH="$root/.venv/bin:$PATH"
exec "$@"
