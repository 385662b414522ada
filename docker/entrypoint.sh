#!/usr/bin/env bash
# The entry of the images: ./mimic, over the ROS of the image where it has one.
set -eo pipefail
if [ -f /opt/ros/jazzy/setup.bash ]; then
  # shellcheck disable=SC1091
  . /opt/ros/jazzy/setup.bash
fi
exec "$(dirname "${BASH_SOURCE[0]}")/../mimic" "$@"
