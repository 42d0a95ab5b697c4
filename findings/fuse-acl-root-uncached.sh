#!/usr/bin/env bash
# FUSE with POSIX ACLs: how often does the kernel ask a server for the ACL of a directory?
#
# Guess before running: with FUSE_POSIX_ACL the kernel keeps ACLs ("none" too) beside the other attributes of an inode.
# So a thousand walks of an ordinary user cost one question for each directory on the way, the root like any other.
#
# What happens: a directory below the root is asked for once. The root is asked for at every walk: its inode is made
# before the server has agreed to ACLs, and stays one whose ACLs are not kept. A server must answer those of its root
# at once, or every look-up from outside of the mount's top pays for a request.
#
# Needs root, /dev/fuse, cargo, python3.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
chmod 755 "$dir"
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
//! The root (1) with a directory `d` (2) with a file `f` (3), without any ACL. Says which inode is asked for ACLs.
use fuser::*;
use std::{ffi::OsStr, io::Write, time::{Duration, UNIX_EPOCH}};
const HOUR: Duration = Duration::from_secs(3600);
struct Nested;
fn attr(ino: u64) -> FileAttr {
    let kind = if ino == 3 { FileType::RegularFile } else { FileType::Directory };
    FileAttr { ino: INodeNo(ino), size: 0, blocks: 0, atime: UNIX_EPOCH, mtime: UNIX_EPOCH, ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH, kind, perm: 0o755, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096, flags: 0 }
}
impl Filesystem for Nested {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        config.add_capabilities(InitFlags::FUSE_POSIX_ACL | InitFlags::FUSE_DONT_MASK).unwrap();
        Ok(())
    }
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match (parent.0, name.to_str()) {
            (1, Some("d")) => reply.entry(&HOUR, &attr(2), Generation(0)),
            (2, Some("f")) => reply.entry(&HOUR, &attr(3), Generation(0)),
            _ => reply.error(Errno::ENOENT),
        }
    }
    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&HOUR, &attr(ino.0))
    }
    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, _: u32, reply: ReplyXattr) {
        println!("{} {}", ino.0, name.to_string_lossy());
        std::io::stdout().flush().unwrap();
        reply.error(Errno::ENODATA)
    }
}
fn main() {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::DefaultPermissions];
    config.acl = SessionACL::All;
    fuser::mount(Nested, std::env::args().nth(1).unwrap(), &config).unwrap();
}
RUST
(cd fs && cargo build --quiet --release 2>"$dir/log") || { cat log; exit 2; }
fs/target/release/fs "$dir/mnt" >asked &
for _ in $(seq 50); do mountpoint -q mnt && break; sleep 0.1; done
echo "kernel $(uname -r), fuser 0.18.0"
python3 - <<'PYTHON'
import os, sys
pid = os.fork()
if pid == 0:
    os.setgid(65534); os.setuid(65534)
    for _ in range(1000):
        os.stat('mnt/d/f')
    os._exit(0)
if os.waitpid(pid, 0)[1] != 0: sys.exit('the walks failed')
asked = [line.split()[0] for line in open('asked')]
root, below = asked.count('1'), asked.count('2')
print(f'1,000 walks of mnt/d/f: the root was asked for its ACL {root} times, the directory below {below} times')
if below <= 2 and root >= 1000:
    print('as found: only the ACLs of the root are never kept')
else:
    print('CHANGED'); sys.exit(1)
PYTHON
