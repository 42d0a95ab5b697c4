#!/usr/bin/env bash
# proxmoxer 2.3.0 (Python): its helper for tasks, with the task ids of a Proxmox Backup Server.
#
# Guess before running: the library names PBS as one of its services, so Tasks.decode_upid takes apart the UPID that a
# backup server gives for a garbage collection, as it does with one of the virtualization product.
#
# What happens: it raises AssertionError, "UPID is not in the correct format". UPIDs of a backup server have one field
# more (node, pid, start of the process, number of the task, time, kind, what, who), which the helper does not know; so
# whatever waits for a task by it works with the other product only.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check proxmoxer==2.3.0 requests==2.32.5
cat >upids.py <<'PY'
from importlib.metadata import version
from proxmoxer.tools import Tasks
UPIDS = {
    "virtualization": "UPID:node1:000035F6:004DB9C8:6B0C64B5:vzdump:100:root@pam:",
    "backup server": "UPID:node1:000035F6:004DB9C8:00000001:6B0C64B5:garbage_collection:main:root@pam:",
}
print(f"proxmoxer {version('proxmoxer')}")
for product, upid in UPIDS.items():
    try:
        print(f"{product}: {Tasks.decode_upid(upid)['type']}")
    except AssertionError as error:
        print(f"{product}: AssertionError: {error}")
PY
output=$(env/bin/python upids.py)
echo "$output"
expected='proxmoxer 2.3.0
virtualization: vzdump
backup server: AssertionError: UPID is not in the correct format'
if [ "$output" = "$expected" ]; then
  echo "as found: task ids of a backup server are refused"
else
  echo CHANGED
  exit 1
fi
