#!/usr/bin/env bash
# FUSE passthrough (Linux 6.9 and newer): whose work is fsync?
#
# Guess before running: the kernel sends reads and writes of a passthrough file straight to the backing file, so it
# also syncs the backing file when a client calls fsync, or at least does so beside asking the server.
#
# What happens: fsync only becomes a request to the server. If the server answers "done" without work, as a server may
# that never sees a write, the client is told that its data are safe while none of them has a place on the disk yet.
# The server has to sync a descriptor of the backing file itself and to hand back the error.
#
# Needs root, /dev/fuse, cargo, python3, filefrag (e2fsprogs), and a temporary folder on a file system that allocates
# late (ext4, xfs, btrfs).
set -euo pipefail
dir=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
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
//! One file, `f`, whose reads and writes the kernel passes to a backing file. Attributes live for an hour.
use fuser::*;
use std::{ffi::OsStr, fs, fs::File, os::unix::fs::MetadataExt, sync::Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
const HOUR: Duration = Duration::from_secs(3600);
struct OneFile { path: String, open: Mutex<Vec<BackingId>> }
fn attributes(path: &str, ino: u64, kind: FileType, perm: u16) -> FileAttr {
    let m = fs::metadata(path).unwrap();
    let mtime: SystemTime = UNIX_EPOCH + Duration::new(m.mtime() as u64, m.mtime_nsec() as u32);
    FileAttr { ino: INodeNo(ino), size: m.len(), blocks: m.blocks(), atime: mtime, mtime, ctime: mtime,
        crtime: mtime, kind, perm, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096, flags: 0 }
}
impl OneFile {
    fn attr(&self, ino: u64) -> FileAttr {
        if ino == 1 { attributes(".", 1, FileType::Directory, 0o755) }
        else { attributes(&self.path, 2, FileType::RegularFile, 0o644) }
    }
}
impl Filesystem for OneFile {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).unwrap();
        config.set_max_stack_depth(1).unwrap();
        Ok(())
    }
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "f" { reply.entry(&HOUR, &self.attr(2), Generation(0)) } else { reply.error(Errno::ENOENT) }
    }
    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&HOUR, &self.attr(ino.0))
    }
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let file = File::options().read(true).write(true).open(&self.path).unwrap();
        let id = reply.open_backing(file).unwrap();
        reply.opened_passthrough(FileHandle(0), FopenFlags::empty(), &id);
        self.open.lock().unwrap().push(id);
    }
    fn release(&self, _: &Request, _: INodeNo, _: FileHandle, _: OpenFlags, _: Option<LockOwner>, _: bool,
        reply: ReplyEmpty) {
        self.open.lock().unwrap().pop();
        reply.ok()
    }
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) { reply.ok() }
    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) { reply.ok() }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let fs = OneFile { path: args[1].clone(), open: Mutex::new(Vec::new()) };
    fuser::mount(fs, &args[2], &Config::default()).unwrap();
}
RUST
: >backing
(cd fs && cargo build --quiet --release 2>"$dir/log") || { cat log; exit 2; }
fs/target/release/fs "$dir/backing" "$dir/mnt" &
server=$!
for _ in $(seq 50); do mountpoint -q mnt && break; sleep 0.1; done

echo "kernel $(uname -r), fuser 0.18.0, $(stat -f -c %T .) beneath"
python3 - <<'PYTHON'
import os, subprocess, sys
def waiting():
    out = subprocess.run(['filefrag', '-v', 'backing'], capture_output=True, text=True, check=True).stdout
    return 'delalloc' in out
fd = os.open('mnt/f', os.O_RDWR)
os.pwrite(fd, b'x' * (1 << 20), 0)
os.fsync(fd)
after_client = waiting()
backing = os.open('backing', os.O_RDWR)
os.fsync(backing)
after_server = waiting()
print('1 MiB written through the mount, fsync there: no error')
print('  data of the backing file still without a place on disk:', after_client)
print('after fsync of the backing file itself:')
print('  data of the backing file still without a place on disk:', after_server)
if after_client and not after_server:
    print('as found: fsync on a passthrough file does not sync the backing file')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
