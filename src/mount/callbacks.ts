/**
 * The operations as libfuse's callbacks: complete, for the rare requests and as the reference that
 * tests compare the fast path with. libfuse reads requests and keeps its books; bodies are in the
 * kernel's layout here, too.
 *
 * @module
 */

import { Errno } from "#ffi/os_error.ts";
import {
  FSYNC_DATA_ONLY,
  InHeader,
  OPEN_KILL_SUIDGID,
  OpenIn,
  WRITE_KILL_SUIDGID,
  WriteIn,
} from "#ffi/libfuse3/kernel.ts";
import type { OperationCallbacks } from "#ffi/libfuse3/operations_table.ts";
import type { Replies } from "#ffi/libfuse3/replies.ts";
import { FUSE_FILE_INFO_40, FUSE_FORGET_DATA, STAT } from "#ffi/libfuse3/structs.ts";
import type { Operations } from "./operations.ts";
import { NO_ANSWER, setxattr } from "./fast_path.ts";

/** Where callbacks leave what became of the request, for the loop that had libfuse process it. */
export interface CallbackOutcome {
  /** Length of the body, or a negative errno. */
  result: number;
}

/** What to do with an exception; returns the negative errno to answer. */
export type ExceptionHandler = (error: unknown) => number;

/** libfuse's own bits of `to_set` that the kernel's `valid` has in another place. */
const TO_SET_KILL_SUIDGID = 0x800 | 0x1000;
const VALID_KILL_SUIDGID = 0x800;
const SETATTR_VALID_OFFSET = InHeader.SIZE;

/**
 * The callbacks over `operations`. No exception leaves them: each request gets exactly one answer.
 */
export function makeCallbacks(
  operations: Operations,
  replies: Replies,
  outcome: CallbackOutcome,
  onException: ExceptionHandler,
): OperationCallbacks {
  const { request, answer, names, attributes, files, directories } = operations;

  /** Runs an operation and answers. */
  function serve(handle: Deno.PointerValue, run: () => number): void {
    let result: number;
    try {
      result = run();
    } catch (error) {
      result = onException(error);
    }
    outcome.result = result;
    if (result === NO_ANSWER) {
      replies.none(handle);
    } else if (result < 0) {
      replies.error(handle, -result);
    } else if (replies.bytes(handle, answer.bodyAddress, result) < 0) {
      operations.undoAnswer(request.opcode, request.nodeId, result);
    }
  }

  /** As `serve`, for answers without a body: a positive result counts as success. */
  function serveEmpty(handle: Deno.PointerValue, run: () => number): void {
    serve(handle, () => Math.min(run(), 0));
  }

  const nameAt = (address: bigint) => request.name(request.offsetOf(address));

  return {
    lookup: (req, parent, name) => serve(req, () => names.lookup(Number(parent), nameAt(name))),
    forget: (req, ino, count) =>
      serve(req, () => {
        names.forget(Number(ino), Number(count));
        return NO_ANSWER;
      }),
    forget_multi: (req, count, records) =>
      serve(req, () => {
        const { ino, nlookup } = FUSE_FORGET_DATA.fields;
        for (let i = 0; i < Number(count); i++) {
          const record = request.offsetOf(records) + i * FUSE_FORGET_DATA.size;
          names.forget(
            request.uint64(record + ino.offset),
            request.uint64(record + nlookup.offset),
          );
        }
        return NO_ANSWER;
      }),

    getattr: (req, ino) => serve(req, () => attributes.getattr(Number(ino))),
    setattr: (req, ino, stat, toSet) =>
      serve(req, () => {
        fillChange(attributes.change, stat, toSet);
        const valid = request.uint32(SETATTR_VALID_OFFSET);
        attributes.change.mask = attributes.change.mask & ~TO_SET_KILL_SUIDGID |
          valid & VALID_KILL_SUIDGID;
        return attributes.setattr(Number(ino));
      }),
    readlink: (req, ino) => serve(req, () => attributes.readlink(Number(ino))),
    statfs: (req) => serve(req, () => attributes.statfs()),
    access: (req) => serveEmpty(req, () => attributes.access()),

    mknod: (req, parent, name, mode, rdev) =>
      serve(req, () => names.mknod(Number(parent), nameAt(name), mode, Number(rdev))),
    mkdir: (req, parent, name, mode) =>
      serve(req, () => names.mkdir(Number(parent), nameAt(name), mode)),
    symlink: (req, target, parent, name) =>
      serve(req, () => names.symlink(Number(parent), nameAt(name), nameAt(target))),
    link: (req, ino, newParent, newName) =>
      serve(req, () => names.link(Number(ino), Number(newParent), nameAt(newName))),
    unlink: (req, parent, name) =>
      serveEmpty(req, () => names.unlink(Number(parent), nameAt(name))),
    rmdir: (req, parent, name) => serveEmpty(req, () => names.rmdir(Number(parent), nameAt(name))),
    rename: (req, parent, name, newParent, newName, flags) =>
      serveEmpty(
        req,
        () => names.rename(Number(parent), nameAt(name), Number(newParent), nameAt(newName), flags),
      ),

    open: (req, ino, fi) =>
      serve(req, () => {
        const openFlags = request.uint32(InHeader.SIZE + OpenIn.OPEN_FLAGS);
        return files.open(Number(ino), openFlagsOf(fi), (openFlags & OPEN_KILL_SUIDGID) !== 0);
      }),
    create: (req, parent, name, mode, fi) =>
      serve(req, () => files.create(Number(parent), nameAt(name), openFlagsOf(fi), mode)),
    read: (req, ino, size, offset, fi) =>
      serve(req, () => files.read(Number(ino), handleOf(fi), Number(offset), Number(size))),
    write: (req, ino, buffer, size, offset, fi) =>
      serve(req, () => {
        const writeFlags = request.uint32(InHeader.SIZE + WriteIn.WRITE_FLAGS);
        return files.write(
          Number(ino),
          handleOf(fi),
          Number(offset),
          Number(size),
          request.buffer,
          request.offsetOf(buffer),
          (writeFlags & WRITE_KILL_SUIDGID) !== 0,
        );
      }),
    flush: (req, ino, fi) => serveEmpty(req, () => files.flush(Number(ino), handleOf(fi))),
    release: (req, ino, fi) => serveEmpty(req, () => files.release(Number(ino), handleOf(fi))),
    fsync: (req, ino, dataOnly, fi) =>
      serveEmpty(
        req,
        () => files.fsync(Number(ino), handleOf(fi), (dataOnly & FSYNC_DATA_ONLY) !== 0),
      ),
    fallocate: (req, ino, mode, offset, length, fi) =>
      serveEmpty(
        req,
        () => files.fallocate(Number(ino), handleOf(fi), mode, Number(offset), Number(length)),
      ),
    lseek: (req, ino, offset, whence, fi) =>
      serve(req, () => files.lseek(Number(ino), handleOf(fi), Number(offset), whence)),
    copy_file_range: (req, inoIn, offsetIn, _fiIn, inoOut, offsetOut, _fiOut, length, flags) =>
      serve(req, () =>
        flags !== 0 ? -Errno.EINVAL : files.copyFileRange(
          Number(inoIn),
          Number(offsetIn),
          Number(inoOut),
          Number(offsetOut),
          Number(length),
        )),
    ioctl: (req) => serve(req, () => -Errno.ENOTTY),

    opendir: (req, ino) => serve(req, () => directories.opendir(Number(ino))),
    readdir: (req, ino, size, offset, fi) =>
      serve(
        req,
        () => directories.readdir(Number(ino), handleOf(fi), Number(offset), Number(size)),
      ),
    readdirplus: (req, ino, size, offset, fi) =>
      serve(
        req,
        () => directories.readdirplus(Number(ino), handleOf(fi), Number(offset), Number(size)),
      ),
    releasedir: (req, ino, fi) =>
      serveEmpty(req, () => directories.releasedir(Number(ino), handleOf(fi))),
    fsyncdir: (req, ino, dataOnly, fi) =>
      serveEmpty(
        req,
        () => directories.fsyncdir(Number(ino), handleOf(fi), (dataOnly & FSYNC_DATA_ONLY) !== 0),
      ),

    setxattr: (req) => serveEmpty(req, () => setxattr(request, operations)),
    getxattr: (req, ino, name, size) =>
      serve(req, () => attributes.getxattr(Number(ino), nameAt(name), Number(size))),
    listxattr: (req, ino, size) =>
      serve(req, () => attributes.listxattr(Number(ino), Number(size))),
    removexattr: (req, ino, name) =>
      serveEmpty(req, () => attributes.removexattr(Number(ino), nameAt(name))),
  };
}

function openFlagsOf(fileInfo: Deno.PointerValue): number {
  if (fileInfo === null) return 0;
  return new Deno.UnsafePointerView(fileInfo).getInt32(FUSE_FILE_INFO_40.fields.flags.offset);
}

/**
 * The handle; 0 when the kernel sent none. Its place is the same in all versions of the structure.
 */
function handleOf(fileInfo: Deno.PointerValue): number {
  if (fileInfo === null) return 0;
  const view = new Deno.UnsafePointerView(fileInfo);
  return Number(view.getBigUint64(FUSE_FILE_INFO_40.fields.fh.offset));
}

const NANOSECONDS = 8;

function fillChange(
  change: Operations["attributes"]["change"],
  stat: Deno.PointerValue,
  toSet: number,
): void {
  if (stat === null) throw new TypeError("Cannot read attributes: null pointer");
  const view = new Deno.UnsafePointerView(stat);
  const { st_mode, st_uid, st_gid, st_size, st_atim, st_mtim } = STAT.fields;
  change.mask = toSet;
  change.mode = view.getUint32(st_mode.offset);
  change.uid = view.getUint32(st_uid.offset);
  change.gid = view.getUint32(st_gid.offset);
  change.size = Number(view.getBigInt64(st_size.offset));
  change.atimeSeconds = Number(view.getBigInt64(st_atim.offset));
  change.atimeNanoseconds = Number(view.getBigInt64(st_atim.offset + NANOSECONDS));
  change.mtimeSeconds = Number(view.getBigInt64(st_mtim.offset));
  change.mtimeNanoseconds = Number(view.getBigInt64(st_mtim.offset + NANOSECONDS));
}
