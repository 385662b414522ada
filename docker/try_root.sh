#!/usr/bin/env bash
# Tests install.sh where no container engine runs: a bare root made by debootstrap, the workspace
# cloned into it at its present commit, set up and used there. Prints a table of times.
#   sudo docker/try_root.sh [--suite S] [--mirror URL] [--root DIR] [--bind DIR]… [--env N=V]… [--keep]
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=bookworm mirror='' root='' keep=''
binds=() variables=()
while [ $# -gt 0 ]; do
  case $1 in
    --suite) suite=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --root) root=$2; shift 2 ;;
    --bind) binds+=("$2"); shift 2 ;;
    --env) variables+=("$2"); shift 2 ;;
    --keep) keep=yes; shift ;;
    *) sed -n '2,4s/^# *//p' "$0" >&2; exit 1 ;;
  esac
done
fail() { printf '[try_root] %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail 'a change root needs root'
command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install debootstrap'
# Mounts of a namespace of its own end with it, whatever happens.
if [ -z "${TRY_ROOT_MOUNTS:-}" ]; then
  root=${root:-$(mktemp -d)}
  status=0
  arguments=(--suite "$suite" --mirror "$mirror" --root "$root")
  for item in "${binds[@]}"; do arguments+=(--bind "$item"); done
  for item in "${variables[@]}"; do arguments+=(--env "$item"); done
  TRY_ROOT_MOUNTS=1 unshare --mount "$0" "${arguments[@]}" || status=$?
  [ -n "$keep" ] || rm -rf --one-file-system "$root"
  exit $status
fi

inside() { # as a user, in the workspace, with nothing of this environment
  local user=$1
  shift
  chroot "$root" /usr/bin/env -i HOME="$(awk -F: -v u="$user" '$1 == u {print $6}' "$root/etc/passwd")" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${variables[@]}" \
    setpriv --reuid="$user" --regid="$user" --init-groups bash -c 'cd /mimic 2>/dev/null; exec "$@"' bash "$@"
}

rows=()
timed() { # LABEL COMMAND…
  local label=$1 begin=$SECONDS
  shift
  printf '[try_root] %s\n' "$label" >&2
  "$@" || fail "$label: failed"
  rows+=("| $label | $((SECONDS - begin)) |")
}

commit=$(git -C "$ROOT" rev-parse --short HEAD)
clone() {
  git clone -q --no-hardlinks "$ROOT" "$root/mimic"
  chroot "$root" useradd -m lab
  chroot "$root" chown -R lab:lab /mimic
}

works() { # the twin, the gate and a launch file run, as a user
  inside lab ./mimic launch shadow -p >/dev/null
  inside lab ./mimic identify --help >/dev/null
  local log=$root/tmp/launch.log states
  inside lab timeout -s INT 25 ./mimic launch identify hand:=robotiq_2f85 >"$log" 2>&1 &
  sleep 12
  states=$(inside lab timeout 10 ./mimic shell -c 'python -c "
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import JointState
rclpy.init()
node, seen = Node(\"look\"), []
node.create_subscription(JointState, \"joint_states\", lambda msg: seen.append(len(msg.name)), 10)
while len(seen) < 50: rclpy.spin_once(node, timeout_sec=5.0)
print(seen[-1])"')
  wait || true
  [ "$states" = 8 ] || fail "joint_states hold '$states' joints, not 8: $(tail -n 3 "$log")"
}

if [ ! -d "$root/usr" ]; then
  timed "debootstrap $suite" debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"} >&2
fi
mkdir -p "$root/mimic"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for item in "${binds[@]}"; do
  mkdir -p "$root$item"
  mount --bind -o ro "$item" "$root$item"
done
cp /etc/resolv.conf "$root/etc/resolv.conf"
rmdir "$root/mimic"
timed 'clone' clone
timed 'install.sh lab USER (as root)' inside root docker/install.sh lab lab >&2
timed 'install.sh lab USER, again' inside root docker/install.sh lab lab >&2
timed 'install.sh workspace (as a user)' inside lab docker/install.sh workspace >&2
timed 'twin and gate run, joint_states flow' works >&2
groups=$(chroot "$root" id -nG lab)
for group in dialout input plugdev video realtime; do
  [[ " $groups " == *" $group "* ]] || fail "lab is not in the group $group: $groups"
done
[ -s "$root/etc/udev/rules.d/70-mimic.rules" ] || fail 'no udev rules'
[ -s "$root/etc/security/limits.d/70-mimic.conf" ] || fail 'no realtime limits'
# shellcheck disable=SC1091
printf '| phase, %s, commit %s | time [s] |\n| --- | --- |\n' \
  "$(. "$root/etc/os-release" && echo "$PRETTY_NAME")" "$commit"
printf '%s\n' "${rows[@]}"
for item in "${binds[@]}"; do umount "$root$item"; done
printf '| size of the root [MB] | %s |\n' "$(du -smx "$root" | cut -f1)"
