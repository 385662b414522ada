#!/usr/bin/env bash
# What a machine needs for the workspace, in phases. The images run it, and so does a bare Debian
# or Ubuntu: `sudo docker/install.sh lab USER` sets up a lab PC. A phase may run twice.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# --- packages of Debian and Ubuntu, by phase -----------------------------------------------------

# What ./mimic checks for, and what it takes to fetch the workspace.
BASE_PACKAGES=(ca-certificates git python3 python3-venv python3-dev g++ make cmake
  libegl1 libgl1 libgomp1 libusb-1.0-0)
# Looking after devices: CAN, cameras, serial ports, keyboards and pedals.
DEVICE_PACKAGES=(can-utils iproute2 usbutils v4l-utils evtest udev kmod)
# Windows of RViz and MuJoCo on the X11 or Wayland of the host.
DISPLAY_PACKAGES=(libgl1-mesa-dri libglx-mesa0 libxkbcommon-x11-0 libwayland-client0
  libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 x11-utils)
# Of an installed ROS 2 Jazzy: Ubuntu 24.04 with the package source of ROS.
ROS_PACKAGES=(ros-jazzy-ros-base ros-jazzy-rviz2 ros-jazzy-xacro ros-jazzy-robot-state-publisher
  ros-jazzy-rosbag2-storage-mcap ros-jazzy-controller-manager ros-jazzy-ros2-controllers
  ros-jazzy-topic-based-ros2-control ros-jazzy-moveit ros-jazzy-moveit-servo
  python3-colcon-common-extensions)

GROUPS_OF_DEVICES=(dialout input plugdev video realtime)

say() { printf '[install] %s\n' "$*" >&2; }
fail() { printf '[install] %s\n' "$*" >&2; exit 1; }

usage() {
  cat <<'TEXT'
usage: install.sh PHASE…

  base          what building and running the workspace needs
  ros           ROS 2 Jazzy with RViz, ros2_control and MoveIt, where the package source of ROS is
                set up (Ubuntu 24.04); elsewhere ROS comes from wheels, and nothing happens here
  devices       access to devices: udev rules, groups, realtime limits, CAN modules, tools
  display       windows on the screen of the host
  user NAME     put a user into the groups of the devices
  workspace     set up and build the workspace in this folder, as the user who calls
  learning      the same, with what training needs
  lab [NAME]    base, ros, devices, display, and user NAME
TEXT
}

need_root() { [ "$(id -u)" = 0 ] || fail "phase '$1' changes the system: run it as root"; }

apt_install() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
  rm -rf /var/lib/apt/lists/*
}

# --- phases --------------------------------------------------------------------------------------

base() {
  need_root base
  command -v apt-get >/dev/null || fail 'needs apt-get: Debian 12 or Ubuntu 24.04'
  apt_install "${BASE_PACKAGES[@]}"
}

ros() {
  need_root ros
  apt-get update -qq
  if ! apt-cache show ros-jazzy-ros-base >/dev/null 2>&1; then
    say 'no package source of ROS 2 Jazzy here: ROS comes from wheels when the workspace is built'
    return
  fi
  # Packages that one release of ROS lacks are left out, and said.
  local found=() name
  for name in "${ROS_PACKAGES[@]}"; do
    if apt-cache show "$name" >/dev/null 2>&1; then found+=("$name"); else say "not there: $name"; fi
  done
  apt_install "${found[@]}"
}

udev_rules() {
  cat <<'TEXT'
# Devices of the robots: their groups, and no wait for modems that they are not.
# FTDI: U2D2 of Dynamixel (0403:6014), RS-485 adapters of Robotiq (0403:6001, 6015, 6011)
SUBSYSTEM=="tty", ATTRS{idVendor}=="0403", GROUP="dialout", MODE="0660", ENV{ID_MM_DEVICE_IGNORE}="1"
# The adapter of Dynamixel sends what it read every 16 ms unless told to do so at once
ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"
# WCH CH340 and CH343: bus adapters of Feetech, SO-101
SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", GROUP="dialout", MODE="0660", ENV{ID_MM_DEVICE_IGNORE}="1"
# Silicon Labs CP210x: Ability Hand and others
SUBSYSTEM=="tty", ATTRS{idVendor}=="10c4", ATTRS{idProduct}=="ea60", GROUP="dialout", MODE="0660", ENV{ID_MM_DEVICE_IGNORE}="1"
# OpenRB, OpenCM
SUBSYSTEM=="tty", ATTRS{idVendor}=="2f5d", GROUP="dialout", MODE="0660", ENV{ID_MM_DEVICE_IGNORE}="1"
# Intel RealSense: its bus device, its video and its motion nodes
SUBSYSTEM=="usb", ATTRS{idVendor}=="8086", ATTRS{idProduct}=="0[ab]*", GROUP="plugdev", MODE="0660"
SUBSYSTEM=="video4linux", ATTRS{idVendor}=="8086", GROUP="video", MODE="0660"
SUBSYSTEM=="iio", ATTRS{idVendor}=="8086", GROUP="plugdev", MODE="0660"
KERNEL=="iio*", ATTRS{idVendor}=="8086", GROUP="plugdev", MODE="0660"
# Keyboards, foot pedals and gamepads for the deadman
SUBSYSTEM=="input", KERNEL=="event*", GROUP="input", MODE="0660"
# CAN adapters come up at 1 Mbit/s, the rate of the Allegro Hand
ACTION=="add", SUBSYSTEM=="net", KERNEL=="can[0-9]*", RUN+="/sbin/ip link set %k up type can bitrate 1000000"
TEXT
}

realtime_limits() {
  cat <<'TEXT'
# The gate and the drivers hold a period: mimic_core.ros.run_first asks for a realtime priority.
@realtime - rtprio 98
@realtime - memlock unlimited
@realtime - nice -20
TEXT
}

devices() {
  need_root devices
  apt_install "${DEVICE_PACKAGES[@]}"
  local group
  for group in "${GROUPS_OF_DEVICES[@]}"; do groupadd --force --system "$group"; done
  mkdir -p /etc/udev/rules.d /etc/security/limits.d /etc/modules-load.d
  udev_rules >/etc/udev/rules.d/70-mimic.rules
  realtime_limits >/etc/security/limits.d/70-mimic.conf
  printf '%s\n' can can_raw vcan >/etc/modules-load.d/mimic-can.conf
  # In an image and in a change root there is no udev that runs; the host's rules count there.
  if [ -S /run/udev/control ]; then
    udevadm control --reload && udevadm trigger
    say 'rules are active; log in anew for the groups'
  else
    say 'no udev runs here: on the host of a container run this phase as well'
  fi
}

display() {
  need_root display
  apt_install "${DISPLAY_PACKAGES[@]}"
}

user() {
  need_root user
  local name=${1:-} group
  [ -n "$name" ] || fail 'usage: install.sh user NAME'
  id "$name" >/dev/null 2>&1 || fail "there is no user '$name'"
  for group in "${GROUPS_OF_DEVICES[@]}"; do
    getent group "$group" >/dev/null || fail "there is no group '$group': run the phase devices first"
    usermod -aG "$group" "$name"
  done
  say "$name is in ${GROUPS_OF_DEVICES[*]}; log in anew"
}

source_ros() {
  if [ -f /opt/ros/jazzy/setup.bash ]; then
    set +u
    # shellcheck disable=SC1091
    . /opt/ros/jazzy/setup.bash
    set -u
  fi
}

workspace() {
  source_ros
  "$ROOT/mimic" build
}

learning() {
  source_ros
  "$ROOT/mimic" build --learning
}

lab() {
  base
  ros
  devices
  display
  if [ -n "${1:-}" ]; then user "$1"; fi
}

main() {
  [ $# -gt 0 ] || { usage >&2; exit 1; }
  while [ $# -gt 0 ]; do
    local phase=$1
    shift
    say "phase $phase"
    case $phase in
      base | ros | devices | display | workspace | learning) "$phase" ;;
      user)
        user "${1:-}"
        shift
        ;;
      lab)
        lab "${1:-}"
        [ $# -eq 0 ] || shift
        ;;
      help | -h | --help) usage ;;
      *) usage >&2; fail "no phase '$phase'" ;;
    esac
  done
}

main "$@"
