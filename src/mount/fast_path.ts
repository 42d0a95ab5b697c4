/**
 * Reads requests straight from the device's bytes and calls the operations: the frequent ones, and
 * all that may have to wait, since what libfuse has begun only libfuse can answer. The rest goes to
 * libfuse, which calls `callbacks.ts`.
 *
 * @module
 */

import { Errno } from "#ffi/os_error.ts";
import {
  BatchForgetIn,
  CopyFileRangeIn,
  CreateIn,
  FallocateIn,
  FlushIn,
  ForgetIn,
  FSYNC_DATA_ONLY,
  FsyncIn,
  GetxattrIn,
  InHeader,
  InterruptIn,
  LinkIn,
  LseekIn,
  MkdirIn,
  MknodIn,
  Opcode,
  OPEN_KILL_SUIDGID,
  OpenIn,
  ReadIn,
  ReleaseIn,
  Rename2In,
  RenameIn,
  SetattrIn,
  SETXATTR_ACL_KILL_SGID,
  SetxattrIn,
  WRITE_KILL_SUIDGID,
  WriteIn,
} from "#ffi/libfuse3/kernel.ts";
import type { Operations } from "./operations.ts";
import type { Request } from "./request.ts";

/** Result of {@link dispatchFast}: the request is left to libfuse. No possible errno. */
export const NOT_HANDLED = -0x1_0000;
/** Result of {@link dispatchFast}: the request wants no answer. No possible errno. */
export const NO_ANSWER = -0x1_0001;

const IN = InHeader.SIZE;

/**
 * Handles the present request.
 *
 * @returns the length of the answer's body, a negative errno, {@link NO_ANSWER} when none may be
 *   sent, or {@link NOT_HANDLED} when libfuse is to handle it
 */
export function dispatchFast(request: Request, operations: Operations): number {
  const { opcode, nodeId } = request;
  const { names, files, directories, attributes } = operations;
  switch (opcode) {
    case Opcode.LOOKUP:
      return names.lookup(nodeId, request.name(IN));
    case Opcode.FORGET:
      names.forget(nodeId, request.uint64(IN + ForgetIn.NLOOKUP));
      return NO_ANSWER;
    case Opcode.BATCH_FORGET:
      return batchForget(request, operations);
    case Opcode.GETATTR:
      return attributes.getattr(nodeId);
    case Opcode.SETATTR:
      return setattr(request, operations);
    case Opcode.READ:
      return files.read(
        nodeId,
        request.uint64(IN + ReadIn.FH),
        request.uint64(IN + ReadIn.OFFSET),
        request.uint32(IN + ReadIn.SIZE_BYTES),
      );
    case Opcode.WRITE:
      return write(request, operations);
    case Opcode.OPEN:
      return files.open(
        nodeId,
        request.uint32(IN + OpenIn.FLAGS),
        (request.uint32(IN + OpenIn.OPEN_FLAGS) & OPEN_KILL_SUIDGID) !== 0,
      );
    case Opcode.CREATE:
      return files.create(
        nodeId,
        request.name(IN + CreateIn.NAME),
        request.uint32(IN + CreateIn.FLAGS),
        request.uint32(IN + CreateIn.MODE),
      );
    case Opcode.FLUSH:
      return files.flush(nodeId, request.uint64(IN + FlushIn.FH));
    case Opcode.RELEASE:
      return files.release(nodeId, request.uint64(IN + ReleaseIn.FH));
    case Opcode.FSYNC:
      return files.fsync(nodeId, request.uint64(IN + FsyncIn.FH), isDataOnly(request));
    case Opcode.OPENDIR:
      return directories.opendir(nodeId);
    case Opcode.READDIR:
    case Opcode.READDIRPLUS:
      return readDirectory(request, operations);
    case Opcode.RELEASEDIR:
      return directories.releasedir(nodeId, request.uint64(IN + ReleaseIn.FH));
    case Opcode.FSYNCDIR:
      return directories.fsyncdir(nodeId, request.uint64(IN + FsyncIn.FH), isDataOnly(request));
    case Opcode.UNLINK:
      return names.unlink(nodeId, request.name(IN));
    case Opcode.RMDIR:
      return names.rmdir(nodeId, request.name(IN));
    case Opcode.MKDIR:
      return names.mkdir(
        nodeId,
        request.name(IN + MkdirIn.NAME),
        request.uint32(IN + MkdirIn.MODE),
      );
    case Opcode.RENAME:
      return rename(request, operations, 0, RenameIn.NAMES);
    case Opcode.RENAME2:
      return rename(request, operations, request.uint32(IN + Rename2In.FLAGS), Rename2In.NAMES);
    case Opcode.READLINK:
      return attributes.readlink(nodeId);
    case Opcode.GETXATTR:
      return attributes.getxattr(
        nodeId,
        request.name(IN + GetxattrIn.NAME),
        request.uint32(IN + GetxattrIn.SIZE_BYTES),
      );
    case Opcode.SETXATTR:
      return setxattr(request, operations);
    case Opcode.LISTXATTR:
      return attributes.listxattr(nodeId, request.uint32(IN + GetxattrIn.SIZE_BYTES));
    case Opcode.REMOVEXATTR:
      return attributes.removexattr(nodeId, request.name(IN));
    case Opcode.STATFS:
      return attributes.statfs();
    case Opcode.MKNOD:
      return names.mknod(
        nodeId,
        request.name(IN + MknodIn.NAME),
        request.uint32(IN + MknodIn.MODE),
        request.uint32(IN + MknodIn.RDEV),
      );
    case Opcode.SYMLINK:
      return names.symlink(nodeId, request.name(IN), request.name(request.nameEnd(IN) + 1));
    case Opcode.LINK:
      return names.link(
        request.uint64(IN + LinkIn.OLDNODEID),
        nodeId,
        request.name(IN + LinkIn.NAME),
      );
    case Opcode.FALLOCATE:
      return files.fallocate(
        nodeId,
        request.uint64(IN + FallocateIn.FH),
        request.uint32(IN + FallocateIn.MODE),
        request.uint64(IN + FallocateIn.OFFSET),
        request.uint64(IN + FallocateIn.LENGTH),
      );
    case Opcode.LSEEK:
      return files.lseek(
        nodeId,
        request.uint64(IN + LseekIn.FH),
        request.int64(IN + LseekIn.OFFSET),
        request.uint32(IN + LseekIn.WHENCE),
      );
    case Opcode.COPY_FILE_RANGE:
    case Opcode.COPY_FILE_RANGE_64:
      return copyFileRange(request, operations);
    case Opcode.NOTIFY_REPLY:
      // Of another thread's `wakeReader`: what it wants is looked at after every request.
      return NO_ANSWER;
    case Opcode.INTERRUPT:
      operations.interrupt(
        request.uint32(IN + InterruptIn.UNIQUE),
        request.uint32(IN + InterruptIn.UNIQUE + 4),
      );
      return NO_ANSWER;
    default:
      return NOT_HANDLED;
  }
}

function isDataOnly(request: Request): boolean {
  return (request.uint32(IN + FsyncIn.FSYNC_FLAGS) & FSYNC_DATA_ONLY) !== 0;
}

function batchForget(request: Request, operations: Operations): number {
  const count = request.uint32(IN + BatchForgetIn.COUNT);
  const records = IN + BatchForgetIn.RECORDS;
  const known = Math.floor((request.size - records) / BatchForgetIn.RECORD_SIZE);
  for (let left = Math.min(count, known); left > 0; left--) {
    // From the last to the first, so that what is left is a request, too, if the next one has to
    // wait.
    const record = records + (left - 1) * BatchForgetIn.RECORD_SIZE;
    request.setUint32(IN + BatchForgetIn.COUNT, left);
    operations.names.forget(
      request.uint64(record + BatchForgetIn.NODEID),
      request.uint64(record + BatchForgetIn.NLOOKUP),
    );
  }
  return NO_ANSWER;
}

function setattr(request: Request, operations: Operations): number {
  const { change } = operations.attributes;
  change.mask = request.uint32(IN + SetattrIn.VALID);
  change.mode = request.uint32(IN + SetattrIn.MODE);
  change.uid = request.uint32(IN + SetattrIn.UID);
  change.gid = request.uint32(IN + SetattrIn.GID);
  change.size = request.uint64(IN + SetattrIn.SIZE_BYTES);
  change.atimeSeconds = request.int64(IN + SetattrIn.ATIME);
  change.atimeNanoseconds = request.uint32(IN + SetattrIn.ATIME_NANOSECONDS);
  change.mtimeSeconds = request.int64(IN + SetattrIn.MTIME);
  change.mtimeNanoseconds = request.uint32(IN + SetattrIn.MTIME_NANOSECONDS);
  return operations.attributes.setattr(request.nodeId);
}

function write(request: Request, operations: Operations): number {
  const size = request.uint32(IN + WriteIn.SIZE_BYTES);
  const start = IN + WriteIn.DATA;
  if (start + size > request.size) return -Errno.EINVAL;
  return operations.files.write(
    request.nodeId,
    request.uint64(IN + WriteIn.FH),
    request.uint64(IN + WriteIn.OFFSET),
    size,
    request.buffer,
    start,
    (request.uint32(IN + WriteIn.WRITE_FLAGS) & WRITE_KILL_SUIDGID) !== 0,
  );
}

/** For libfuse's callbacks too: it knows only one of the two layouts. */
export function setxattr(request: Request, operations: Operations): number {
  const size = request.uint32(IN + SetxattrIn.SIZE_BYTES);
  const name = IN + (operations.hasLongSetxattr ? SetxattrIn.SIZE : SetxattrIn.SHORT_SIZE);
  const value = request.nameEnd(name) + 1;
  if (value + size > request.size) return -Errno.EINVAL;
  const kinds = operations.hasLongSetxattr ? request.uint32(IN + SetxattrIn.SETXATTR_FLAGS) : 0;
  return operations.attributes.setxattr(
    request.nodeId,
    request.name(name),
    request.buffer.bytes.slice(value, value + size),
    request.uint32(IN + SetxattrIn.FLAGS),
    (kinds & SETXATTR_ACL_KILL_SGID) !== 0,
  );
}

function readDirectory(request: Request, operations: Operations): number {
  const { directories } = operations;
  const handle = request.uint64(IN + ReadIn.FH);
  const cookie = request.uint64(IN + ReadIn.OFFSET);
  const size = request.uint32(IN + ReadIn.SIZE_BYTES);
  return request.opcode === Opcode.READDIRPLUS
    ? directories.readdirplus(request.nodeId, handle, cookie, size)
    : directories.readdir(request.nodeId, handle, cookie, size);
}

function rename(
  request: Request,
  operations: Operations,
  flags: number,
  namesOffset: number,
): number {
  const name = IN + namesOffset;
  const newName = request.nameEnd(name) + 1;
  return operations.names.rename(
    request.nodeId,
    request.name(name),
    request.uint64(IN + RenameIn.NEWDIR),
    request.name(newName),
    flags,
  );
}

function copyFileRange(request: Request, operations: Operations): number {
  if (request.uint64(IN + CopyFileRangeIn.FLAGS) !== 0) return -Errno.EINVAL;
  return operations.files.copyFileRange(
    request.nodeId,
    request.uint64(IN + CopyFileRangeIn.OFFSET_IN),
    request.uint64(IN + CopyFileRangeIn.NODEID_OUT),
    request.uint64(IN + CopyFileRangeIn.OFFSET_OUT),
    request.uint64(IN + CopyFileRangeIn.LENGTH),
  );
}
