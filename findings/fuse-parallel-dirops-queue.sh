#!/usr/bin/env bash
# FUSE with FUSE_PARALLEL_DIROPS: does one slow look-up keep a directory from being used?
#
# Guess before running: that is what the flag is for. Look-ups in one directory go to the server side by side, so while
# it thinks about one name, others are asked for and answered, whatever else goes on in the directory.
#
# What happens: only as long as nobody changes the directory. A process that makes a name there waits for the slow
# look-up, and all later look-ups wait behind that process: the server is not even asked. One name whose answer comes
# late (a network, a disk) and one mkdir are enough for the whole directory to stand still until the answer is there.
#
# Needs root, /dev/fuse, python3.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir mnt
echo "kernel $(uname -r), python $(python3 -V | cut -d' ' -f2)"
timeout 60 python3 - <<'PYTHON'
import ctypes, errno, os, select, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
LOOKUP, GETATTR, MKDIR, INIT, PARALLEL_DIROPS = 1, 3, 9, 26, 1 << 18

fd = os.open('/dev/fuse', os.O_RDWR)
if libc.mount(b'none', b'mnt', b'fuse', 6, f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()) != 0:
    raise OSError(ctypes.get_errno(), 'mount')

def request(timeout):
    """The next request within so many seconds: opcode, unique number, rest; None when there is none."""
    if not select.select([fd], [], [], timeout)[0]: return None
    data = os.read(fd, 1 << 20)
    size, opcode, unique = struct.unpack_from('IIQ', data)
    return opcode, unique, data[40:]

def answer(unique, body=b'', error=0):
    os.write(fd, struct.pack('IiQ', 16 + len(body), -error, unique) + body)

def client(action, path):
    if os.fork() == 0:
        os.close(fd)
        try: action(path)
        except OSError: pass
        os._exit(0)

def asked(seconds, known):
    """Names looked up within so many seconds; attributes of the root are answered, and all names but `slow` are missing."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        found = request(left)
        if found is None: break
        opcode, unique, rest = found
        if opcode == GETATTR:
            answer(unique, struct.pack('QII', 3600, 0, 0) + struct.pack('QQQQQQIIIIIIIIII', 1, 0, 0, 0, 0, 0,
                0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0))
        elif opcode == LOOKUP:
            name = rest.rstrip(b'\0').decode()
            known[name] = unique
            if name != 'slow': answer(unique, error=errno.ENOENT)
        else:
            answer(unique, error=errno.EROFS)
    return known

opcode, unique, _ = request(10)
assert opcode == INIT
answer(unique, struct.pack('IIIIHHIIHHI', 7, 31, 0, PARALLEL_DIROPS, 16, 12, 4096, 1, 0, 0, 0).ljust(64, b'\0'))
names = {}
client(os.stat, 'mnt/slow')
asked(1, names)
client(os.stat, 'mnt/first')
asked(1, names)
client(os.mkdir, 'mnt/made')
asked(1, names)
client(os.stat, 'mnt/second')
asked(2, names)
before = sorted(names)
answer(names['slow'], error=errno.ENOENT)
asked(2, names)
print(f'while "slow" is looked up, then "first", a mkdir of "made", and "second": the server is asked for {before}')
print(f'after the answer for "slow": {sorted(names)}')
if before == ['first', 'slow'] and 'second' in names:
    print('as found: a change that waits for a slow look-up holds up all later look-ups of the directory')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
