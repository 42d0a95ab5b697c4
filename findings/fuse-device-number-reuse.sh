#!/usr/bin/env bash
# FUSE: how long does a device number (st_dev, by which tools find the server of a mount) stay with one server?
#
# Guess before running: the number belongs to the connection. While the server still has /dev/fuse open, its connection is
# alive, so no other mount gets the number.
#
# What happens: the number goes back at the unmount, whatever the server holds. The next mount of any server gets the
# same one, while the first server still has its descriptor (which only tells that all is over). Who finds "the server of
# a mount" by device number can meet a stranger; the unique mount id of statx (Linux 6.8) is never given twice.
#
# Needs root, /dev/fuse, python3.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -l "$dir/a" "$dir/b" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir a b
echo "kernel $(uname -r), python $(python3 -V | cut -d' ' -f2)"
python3 - <<'PYTHON'
import ctypes, os, select, struct, sys
libc = ctypes.CDLL(None, use_errno=True)

def mount(path):
    """Mounts a file system that nobody serves yet: no request is sent before somebody looks inside."""
    fd = os.open('/dev/fuse', os.O_RDWR)
    options = f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()
    if libc.mount(b'none', path.encode(), b'fuse', 6, options) != 0:
        raise OSError(ctypes.get_errno(), 'mount')
    return fd

HERE = os.path.realpath('.')

def table(name):
    """Device number of the mount at a name, from the kernel's table: nothing looks inside."""
    for line in open('/proc/self/mountinfo'):
        fields = line.split()
        if fields[4] == f'{HERE}/{name}': return fields[2]

def unique_id(path):
    buffer = ctypes.create_string_buffer(256)  # statx with STATX_MNT_ID_UNIQUE, and without asking the server
    if libc.statx(-100, path.encode(), 0x4000, 0x4000, buffer) != 0: return None
    mask, = struct.unpack_from('I', buffer, 0)
    return struct.unpack_from('Q', buffer, 0x90)[0] if mask & 0x4000 else None

first = mount('a')
number, first_id = table('a'), unique_id('a')
libc.umount2(b'a', 0)
gone = bool(select.select([first], [], [], 0)[0])
second = mount('b')
again, second_id = table('b'), unique_id('b')
libc.umount2(b'b', 0)
os.close(first); os.close(second)
print(f'first mount {number}, unmounted, its descriptor kept (tells the end: {gone}); second mount {again}')
print(f'unique mount ids: {first_id}, {second_id}')
if number == again and first_id != second_id:
    print('as found: the number is free at the unmount, not when the server has closed its descriptor')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
