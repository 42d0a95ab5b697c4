#!/usr/bin/env bash
# FUSE: a server with several threads clones its device (FUSE_DEV_IOC_CLONE). Which clone may answer a request?
#
# Guess before running: clones share one connection, and an answer names its request by a number that is unique in the
# connection. So a thread may read a request and any other may answer it with the clone it has at hand.
#
# What happens: only the clone that read a request can answer it. By another one the answer is refused with ENOENT, as
# if nobody had asked, and the request goes on waiting. A pool that hands requests from thread to thread has to hand
# on the descriptor, too.
#
# Needs root, /dev/fuse, python3.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir mnt
echo "kernel $(uname -r), python $(python3 -V | cut -d' ' -f2)"
timeout 30 python3 - <<'PYTHON'
import ctypes, errno, fcntl, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
INIT, STATFS, CLONE = 26, 17, 0x8004E500  # opcodes, and _IOR(229, 0, uint32_t)

first = os.open('/dev/fuse', os.O_RDWR)
if libc.mount(b'none', b'mnt', b'fuse', 6, f'fd={first},rootmode=40000,user_id=0,group_id=0'.encode()) != 0:
    raise OSError(ctypes.get_errno(), 'mount')

def read(fd):
    """The next request: opcode and unique number."""
    size, opcode, unique = struct.unpack_from('IIQ', os.read(fd, 1 << 20))
    return opcode, unique

def answer(fd, unique, body):
    """0, or the errno that the kernel has for this answer."""
    try:
        os.write(fd, struct.pack('IiQ', 16 + len(body), 0, unique) + body)
        return 0
    except OSError as error:
        return error.errno

opcode, unique = read(first)
assert opcode == INIT
init = struct.pack('IIIIHHIIHHI', 7, 31, 0, 0, 16, 12, 4096, 1, 0, 0, 0).ljust(64, b'\0')
assert answer(first, unique, init) == 0
second = os.open('/dev/fuse', os.O_RDWR)
fcntl.ioctl(second, CLONE, struct.pack('I', first))

child = os.fork()
if child == 0:
    os.close(first); os.close(second)
    os._exit(0 if os.statvfs('mnt').f_bsize == 4096 else 1)
opcode, unique = read(first)
assert opcode == STATFS, opcode
statfs = struct.pack('QQQQQIIII', 1, 1, 1, 1, 1, 4096, 255, 4096, 0).ljust(80, b'\0')
by_other = answer(second, unique, statfs)
waits = os.waitpid(child, os.WNOHANG) == (0, 0)
by_reader = answer(first, unique, statfs)
print(f'answer by the other clone: {errno.errorcode.get(by_other, "taken")}; the caller still waits: {waits}')
if by_other == 0:
    print('CHANGED'); sys.exit(1)
print(f'answer by the clone that read the request: {errno.errorcode.get(by_reader, "taken")}')
if by_other == errno.ENOENT and waits and by_reader == 0 and os.waitpid(child, 0)[1] == 0:
    print('as found: a request belongs to the clone that read it')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
