#!/usr/bin/env bash
# FUSE: a read(2) waits for a slow server. Does a signal with a handler end it, and what has FUSE_ASYNC_READ to do with it?
#
# Guess before running: the protocol has FUSE_INTERRUPT for that. A handled signal makes the kernel tell the server, and
# when it answers EINTR the call returns. FUSE_ASYNC_READ only lets several reads be on their way at a time.
#
# What happens: so it is for direct reads, and by way of the page cache as long as the server has not asked for
# FUSE_ASYNC_READ (libfuse does unless told otherwise). With it a buffered read waits for a page and not for its request:
# no FUSE_INTERRUPT is sent, and the handler's effect waits until the server has answered. Deadlines that a client sets
# with alarm(2) or the like do nothing there; a server has to have its own.
#
# Needs root, /dev/fuse, python3.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir mnt
echo "kernel $(uname -r), python $(python3 -V | cut -d' ' -f2)"
timeout 60 python3 - <<'PYTHON'
import ctypes, errno, os, select, signal, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
LOOKUP, GETATTR, OPEN, READ, INIT, INTERRUPT = 1, 3, 14, 15, 26, 36
ASYNC_READ, FOPEN_DIRECT_IO = 1, 1
SIZE, ALARM_S, ANSWER_S = 1 << 16, 0.5, 3

def answer(unique, body=b'', error=0):
    try: os.write(fd, struct.pack('IiQ', 16 + len(body), -error, unique) + body)
    except OSError as failure:
        if failure.errno != errno.ENOENT: raise  # nobody waits for it any more

def attributes(node):
    mode, size = (0o40755, 0) if node == 1 else (0o100644, SIZE)
    return struct.pack('QQQQQQIIIIIIIIII', node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

def reader(path):
    """Reads with an alarm whose handler raises. Exits with 0 when that ended the call, with 1 when the data came first."""
    if (pid := os.fork()) != 0: return pid
    file = os.open(path, os.O_RDONLY)
    start = time.monotonic()
    def ring(*_): raise InterruptedError
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, ALARM_S)
    try: os.read(file, 4096)
    except InterruptedError: pass
    os._exit(0 if time.monotonic() - start < ANSWER_S / 2 else 1)

def serve(path, flags):
    """Whether the server was told of the signal, and whether the signal ended the read."""
    pid, told, reads, start = reader(path), False, {}, time.monotonic()
    while True:
        if select.select([fd], [], [], 0.1)[0]:
            data = os.read(fd, 1 << 20)
            _, opcode, unique, node = struct.unpack_from('IIQQ', data)
            if opcode == LOOKUP: answer(unique, struct.pack('QQQQII', 2, 0, 0, 0, 0, 0) + attributes(2))
            elif opcode == GETATTR: answer(unique, struct.pack('QII', 0, 0, 0) + attributes(node))
            elif opcode == OPEN: answer(unique, struct.pack('QII', 0, flags, 0))
            elif opcode == READ: reads[unique] = struct.unpack_from('QQI', data, 40)[2]
            elif opcode == INTERRUPT:
                told = True
                asked, = struct.unpack_from('Q', data, 40)
                if reads.pop(asked, None) is not None: answer(asked, error=errno.EINTR)
            elif opcode != 2: answer(unique, error=errno.ENOSYS)
        if time.monotonic() - start > ANSWER_S:
            for unique, size in reads.items(): answer(unique, bytes(size))
            reads.clear()
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended: return told, status == 0

def trial(init_flags, open_flags):
    """Mounts, and has one read interrupted. @returns as serve()"""
    global fd
    fd = os.open('/dev/fuse', os.O_RDWR)
    options = f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()
    if libc.mount(b'none', b'mnt', b'fuse', 6, options) != 0: raise OSError(ctypes.get_errno(), 'mount')
    _, opcode, unique = struct.unpack_from('IIQ', os.read(fd, 1 << 20))
    assert opcode == INIT
    answer(unique, struct.pack('IIIIHHIIHHI', 7, 31, 1 << 17, init_flags, 16, 12, 4096, 1, 0, 0, 0).ljust(64, b'\0'))
    result = serve('mnt/f', open_flags)
    libc.umount2(b'mnt', 2)
    os.close(fd)
    return result

found = [trial(ASYNC_READ, FOPEN_DIRECT_IO), trial(0, 0), trial(ASYNC_READ, 0)]
for name, (told, ended) in zip(('direct', 'buffered', 'buffered with ASYNC_READ'), found):
    print(f'{name}: server told of the signal: {told}; the signal ended the read: {ended}')
if found == [(True, True), (True, True), (False, False)]:
    print('as found: with FUSE_ASYNC_READ a handled signal does not end a buffered read')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
