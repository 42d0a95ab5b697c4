#!/usr/bin/env bash
# Linux 6.18: in units of which size does the page cache keep a file of a FUSE mount?
#
# Guess before running: file systems have moved to large folios, so after a sequential read with readahead a FUSE
# file lies in the cache in groups of pages as a file of ext4 or XFS does, and is read again at the same speed.
#
# What happens: every page of the FUSE file stands alone (4 KiB), whatever readahead the server asks for. The same bytes
# in a plain file lie nearly all in groups. Repeated reads, mapped ones above all, cost accordingly more.
#
# Needs root, /dev/fuse, cargo, python3, and a temporary folder on a file system with large folios (ext4, XFS, Btrfs).
set -euo pipefail
dir=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p mnt fs/src
cat >fs/Cargo.toml <<'TOML'
[package]
name = "fs"
version = "0.1.0"
edition = "2021"
[dependencies]
fuser = "=0.18.0"
TOML
cat >fs/src/main.rs <<'RUST'
//! One file `f` with the bytes of another one, served by reads, with the largest readahead.
use fuser::*;
use std::os::unix::fs::FileExt;
use std::{ffi::OsStr, fs::File, time::{Duration, UNIX_EPOCH}};
const HOUR: Duration = Duration::from_secs(3600);
struct OneFile(File);
impl OneFile {
    fn attr(&self, ino: u64) -> FileAttr {
        let kind = if ino == 1 { FileType::Directory } else { FileType::RegularFile };
        let size = if ino == 1 { 0 } else { self.0.metadata().unwrap().len() };
        FileAttr { ino: INodeNo(ino), size, blocks: size / 512, atime: UNIX_EPOCH, mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH, crtime: UNIX_EPOCH, kind, perm: 0o755, nlink: 1, uid: 0, gid: 0, rdev: 0,
            blksize: 4096, flags: 0 }
    }
}
impl Filesystem for OneFile {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        if let Err(most) = config.set_max_readahead(u32::MAX) { config.set_max_readahead(most).unwrap(); }
        Ok(())
    }
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "f" { reply.entry(&HOUR, &self.attr(2), Generation(0)) } else { reply.error(Errno::ENOENT) }
    }
    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&HOUR, &self.attr(ino.0))
    }
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE)
    }
    fn read(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, size: u32, _: OpenFlags,
        _: Option<LockOwner>, reply: ReplyData) {
        let mut bytes = vec![0; size as usize];
        let count = self.0.read_at(&mut bytes, offset).unwrap();
        reply.data(&bytes[..count])
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    fuser::mount(OneFile(File::open(&args[1]).unwrap()), &args[2], &Config::default()).unwrap();
}
RUST
(cd fs && cargo build --quiet --release 2>"$dir/log") || { cat log; exit 2; }
head -c 33554432 /dev/urandom >plain
sync plain
fs/target/release/fs "$dir/plain" "$dir/mnt" &
for _ in $(seq 50); do mountpoint -q mnt && break; sleep 0.1; done

echo "kernel $(uname -r), fuser 0.18.0, $(stat -f -c %T .) beneath"
python3 - <<'PYTHON'
import ctypes, mmap, os, struct, sys
PAGE, COMPOUND = 4096, 1 << 15 | 1 << 16  # bits of head and tail of a group in /proc/kpageflags
def grouped(path):
    """Pages of a file, and how many of them the cache keeps in groups, after one read from disk in order."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    while os.read(fd, 1 << 20): pass
    size = os.fstat(fd).st_size
    memory = mmap.mmap(fd, size, prot=mmap.PROT_READ)
    count = 0
    address = int.from_bytes(ctypes.string_at(id(memory) + 16, 8), sys.byteorder)
    with open('/proc/self/pagemap', 'rb', 0) as pagemap, open('/proc/kpageflags', 'rb', 0) as flags:
        for at in range(0, size, PAGE):
            memory[at]
            pagemap.seek((address + at) // PAGE * 8)
            frame = struct.unpack('Q', pagemap.read(8))[0] & (1 << 55) - 1
            flags.seek(frame * 8)
            if struct.unpack('Q', flags.read(8))[0] & COMPOUND: count += 1
    return size // PAGE, count
pages, plain = grouped('plain')
_, fuse = grouped('mnt/f')
print(f'plain file: {plain} of {pages} pages in groups')
print(f'FUSE file:  {fuse} of {pages} pages in groups')
if plain > pages // 2 and fuse == 0:
    print('as found: the page cache keeps files of a FUSE mount page by page')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
