#!/usr/bin/env bash
# FUSE passthrough (Linux 6.9 and newer): may an open be passed through and keep the page cache?
#
# Guess before running: FOPEN_KEEP_CACHE says "do not drop cached pages at this open". A passthrough file has no pages of
# its own in the mount, so the flag is without meaning there and is ignored.
#
# What happens: the server's answer is taken, the backing file is found, and the client's open fails with EIO. A
# server that answers all opens of unchanging files with FOPEN_KEEP_CACHE has to leave it out for passthrough.
#
# Needs root, /dev/fuse, cargo, python3.
set -euo pipefail
dir=$(mktemp -d)
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
struct OneFile { path: String, flags: FopenFlags, open: Mutex<Vec<BackingId>> }
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
        reply.opened_passthrough(FileHandle(0), self.flags, &id);
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
    let flags = if args[3] == "keep" { FopenFlags::FOPEN_KEEP_CACHE } else { FopenFlags::empty() };
    let fs = OneFile { path: args[1].clone(), flags, open: Mutex::new(Vec::new()) };
    fuser::mount(fs, &args[2], &Config::default()).unwrap();
}
RUST
head -c 65536 /dev/zero >backing
(cd fs && cargo build --quiet --release 2>"$dir/log") || { cat log; exit 2; }

open_with() {
  fs/target/release/fs "$dir/backing" "$dir/mnt" "$1" &
  server=$!
  for _ in $(seq 50); do mountpoint -q mnt && break; sleep 0.1; done
  python3 -c '
try: print(len(open("mnt/f", "rb").read()), "bytes read")
except OSError as e: print("open failed:", e.strerror)'
  umount mnt
  wait "$server" || true
  server=
}
echo "kernel $(uname -r), fuser 0.18.0"
plain=$(open_with plain)
keep=$(open_with keep)
echo "passthrough:                   $plain"
echo "passthrough, FOPEN_KEEP_CACHE: $keep"
if [ "$plain" = "65536 bytes read" ] && [ "$keep" = "open failed: Input/output error" ]; then
  echo "as found: a passthrough open that keeps the cache fails with EIO"
else
  echo "CHANGED"
  exit 1
fi
