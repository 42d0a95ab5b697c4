#!/usr/bin/env bash
# FUSE passthrough (Linux 6.9 and newer): what does a larger max_stack_depth in the answer to INIT cost?
#
# Guess before running: max_stack_depth is an upper bound for backing files. A server that says 2 may register files
# that lie on overlayfs too, and nothing changes for whoever registers none. So 2 is always the better answer.
#
# What happens: the mount itself counts as so many levels from the first moment, whether a file is ever passed through
# or not. With 2 no overlayfs can be mounted on top of it (a container's root, for example); with 1 it can. A server has
# to choose by where its backing files lie.
#
# Needs root, /dev/fuse, overlayfs, cargo. (On a kernel that lets file systems be stacked deeper it fails: CHANGED.)
set -euo pipefail
dir=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
server=
trap 'umount "$dir/top" 2>/dev/null || true; umount -l "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p mnt fs/src top upper work
cat >fs/Cargo.toml <<'TOML'
[package]
name = "fs"
version = "0.1.0"
edition = "2021"
[dependencies]
fuser = "=0.18.0"
TOML
cat >fs/src/main.rs <<'RUST'
//! An empty file system that offers passthrough, of the depth in the second argument, and never uses it.
use fuser::*;
use std::ffi::OsStr;
use std::time::{Duration, UNIX_EPOCH};
struct Empty(u32);
impl Filesystem for Empty {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).unwrap();
        config.set_max_stack_depth(self.0).unwrap();
        Ok(())
    }
    fn lookup(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEntry) { reply.error(Errno::ENOENT) }
    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&Duration::from_secs(60), &FileAttr { ino, size: 0, blocks: 0, atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH, ctime: UNIX_EPOCH, crtime: UNIX_EPOCH, kind: FileType::Directory, perm: 0o755,
            nlink: 2, uid: 0, gid: 0, rdev: 0, blksize: 4096, flags: 0 })
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    fuser::mount(Empty(args[2].parse().unwrap()), &args[1], &Config::default()).unwrap();
}
RUST
(cd fs && cargo build --quiet --release 2>"$dir/log") || { cat log; exit 2; }

overlay_on() {
  fs/target/release/fs "$dir/mnt" "$1" &
  server=$!
  for _ in $(seq 50); do mountpoint -q mnt && break; sleep 0.1; done
  if mount -t overlay overlay -o "lowerdir=$dir/mnt,upperdir=$dir/upper,workdir=$dir/work" top 2>error; then
    echo "mounted"
    umount top
  else
    echo "refused"
  fi
  umount mnt
  wait "$server" || true
}
echo "kernel $(uname -r), fuser 0.18.0"
one=$(overlay_on 1)
two=$(overlay_on 2)
echo "overlayfs on a FUSE mount with max_stack_depth 1: $one"
echo "overlayfs on a FUSE mount with max_stack_depth 2: $two"
if [ "$one" = mounted ] && [ "$two" = refused ]; then
  echo "as found: the depth that a server offers is taken from what may lie on top of it, used or not"
else
  echo "CHANGED"
  exit 1
fi
