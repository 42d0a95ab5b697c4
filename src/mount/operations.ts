/**
 * All operations of one worker, and what to do when an answer does not arrive.
 *
 * Two front ends call the operations: `fast_path.ts` reads requests itself, `callbacks.ts` is
 * called by libfuse.
 *
 * @module
 */

import { EntryOut, Opcode, OpenOut } from "#ffi/libfuse3/kernel.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import { Answer, BODY } from "./answer.ts";
import { AttributeOperations } from "./attribute_operations.ts";
import { DirectoryOperations } from "./directory_operations.ts";
import { FileOperations } from "./file_operations.ts";
import { NameOperations } from "./name_operations.ts";
import type { Request } from "./request.ts";

/** The operations over one file system instance, with the buffers of one worker. */
export class Operations {
  readonly answer: Answer = new Answer();
  readonly names: NameOperations;
  readonly attributes: AttributeOperations;
  readonly files: FileOperations;
  readonly directories: DirectoryOperations;

  /**
   * @param hasLongSetxattr SETXATTR requests have the form of SETXATTR_EXT
   * @param interrupt ends the request with that id, if it waits
   */
  constructor(
    fileSystem: FileSystem,
    readonly request: Request,
    readonly hasLongSetxattr: boolean,
    readonly interrupt: (uniqueLow: number, uniqueHigh: number) => void = () => {},
  ) {
    this.names = new NameOperations(fileSystem, this.answer, request);
    this.attributes = new AttributeOperations(fileSystem, this.answer);
    this.files = new FileOperations(fileSystem, this.answer, request);
    this.directories = new DirectoryOperations(fileSystem, this.answer);
  }

  /**
   * Takes back what the present answer (a body of `size` bytes) granted, because the kernel did not
   * take it: the requester was killed or the mount is gone. Without this, lookup counts and open
   * handles would leak.
   */
  undoAnswer(opcode: number, nodeId: number, size: number): void {
    switch (opcode) {
      case Opcode.LOOKUP:
      case Opcode.MKNOD:
      case Opcode.MKDIR:
      case Opcode.SYMLINK:
      case Opcode.LINK:
        this.#undoEntry();
        break;
      case Opcode.CREATE: {
        const handle = this.answer.uint64(BODY + EntryOut.SIZE + OpenOut.FH);
        this.files.release(this.answer.uint64(BODY + EntryOut.NODEID), handle);
        this.#undoEntry();
        break;
      }
      case Opcode.OPEN:
        this.files.release(nodeId, this.answer.uint64(BODY + OpenOut.FH));
        break;
      case Opcode.OPENDIR:
        this.directories.releasedir(nodeId, this.answer.uint64(BODY + OpenOut.FH));
        break;
      case Opcode.READDIRPLUS:
        this.directories.undoReaddirplus(size);
        break;
    }
  }

  #undoEntry(): void {
    const nodeId = this.answer.uint64(BODY + EntryOut.NODEID);
    if (nodeId !== 0) this.names.forget(nodeId, 1);
  }
}
