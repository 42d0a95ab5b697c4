/**
 * Where the library's readers and writers get their bytes from and put them: files, standard input
 * and output, memory.
 *
 * A {@link ByteSource} is read anywhere, a {@link SequentialSource} from its beginning to its end,
 * a {@link Sink} written in order. What is called plain uses the runtime's own calls and needs no
 * FFI; what is called native copies less. {@link hostFiles} is whichever of them the process may
 * use.
 *
 * @module
 */

export type { ByteSource, KnownZeros, OpenSource } from "./byte_source.ts";
export type { WaitGate } from "./wait_gate.ts";
export type {
  ClosableSource,
  FileSink,
  FileSinkOptions,
  SequentialSource,
  Sink,
} from "./streams.ts";
export { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
export { type AllocatedBuffer, allocateNativeBuffer, type HostStat } from "#ffi/libc/calls.ts";
export { hostFiles } from "./files/files.ts";
export type {
  FileEntry,
  FileKind,
  Files,
  FileStatus,
  FileSystemSpace,
} from "./files/file_access.ts";
export { openNativeSource } from "./files/native_source.ts";
export { openPlainSource, standardInputFile } from "./files/plain_source.ts";
export { openPlainStream, standardInputSource } from "./files/plain_stream.ts";
export { DescriptorSink, NativeFileSink, openNativeOutput } from "./files/native_sink.ts";
export { openPlainOutput, PlainFileSink } from "./files/plain_sink.ts";
