#!/usr/bin/env bash
# FUSE passthrough (Linux 6.9 and newer): what of an open file is left when the server is gone?
#
# Guess before running: as with every FUSE mount, once the server has been killed and the mount been detached, all calls
# on a file that is still open end with ENOTCONN.
#
# What happens: reads and writes go on, since they never involved the server, and reach the backing file; fstat and fsync
# fail with ENOTCONN, so what is written cannot be made durable through that descriptor. The disk of the backing file
# stays in use until the last such file is closed, with no process to be seen that has it open.
#
# Needs root, /dev/fuse, loop devices, mkfs.ext4, cargo, python3.
set -euo pipefail
dir=$(mktemp -d)
server=
trap 'umount "$dir/disk" 2>/dev/null || true; [ -z "$server" ] || kill "$server" 2>/dev/null || true; umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p mnt fs/src disk
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
truncate -s 64M image
mkfs.ext4 -q image
mount -o loop image disk
head -c 65536 /dev/zero >disk/backing
(cd fs && cargo build --quiet --release 2>"$dir/log") || { cat log; exit 2; }
fs/target/release/fs "$dir/disk/backing" "$dir/mnt" &
server=$!
for _ in $(seq 50); do mountpoint -q mnt && break; sleep 0.1; done


echo "kernel $(uname -r), fuser 0.18.0"
SERVER=$server python3 - <<'PYTHON'
import errno, os, signal, subprocess, sys, time
def outcome(call):
    try: call()
    except OSError as e: return errno.errorcode[e.errno]
    return 'works'
fd = os.open('mnt/f', os.O_RDWR)
os.kill(int(os.environ['SERVER']), signal.SIGKILL)
time.sleep(0.5)
subprocess.run(['umount', '-l', 'mnt'], check=True)
seen = {
    'read': outcome(lambda: os.pread(fd, 10, 0)),
    'write': outcome(lambda: os.pwrite(fd, b'after the end', 100)),
    'fstat': outcome(lambda: os.fstat(fd)),
    'fsync': outcome(lambda: os.fsync(fd)),
}
with open('disk/backing', 'rb') as f: arrived = f.read()[100:113] == b'after the end'
busy = subprocess.run(['umount', 'disk'], stderr=subprocess.DEVNULL).returncode != 0
outcome(lambda: os.close(fd))  # says ENOTCONN as well, and closes
freed = subprocess.run(['umount', 'disk'], stderr=subprocess.DEVNULL).returncode == 0
print('server killed, mount detached, file still open:')
for call, result in seen.items(): print(f'  {call}: {result}')
print('  written bytes are in the backing file:', arrived)
print('  disk of the backing file in use, before and after close:', busy, not freed)
if seen == {'read': 'works', 'write': 'works', 'fstat': 'ENOTCONN', 'fsync': 'ENOTCONN'} and arrived and busy and freed:
    print('as found: reads and writes of a passthrough file outlive its server, fsync does not')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
