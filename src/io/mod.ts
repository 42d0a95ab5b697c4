/**
 * Where the library's readers and writers get their bytes from and put them: files, standard input
 * and output, memory.
 *
 * A {@link ByteSource} is read anywhere, a {@link SequentialSource} from its beginning to its end,
 * a {@link Sink} written in order. What begins with `Fs` uses the runtime's own calls and needs no
 * FFI; the others copy less.
 *
 * @module
 */

export type { ByteSource, KnownZeros, OpenSource } from "./byte_source.ts";
export type { WaitGate } from "./wait_gate.ts";
export type { SequentialSource, Sink } from "./streams.ts";
export { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
export { type AllocatedBuffer, allocateNativeBuffer, type HostStat } from "#ffi/libc/calls.ts";
export { openHostFileSource } from "./host_file_source.ts";
export { openFsFileSource, standardInputFile } from "./fs_file_source.ts";
export {
  type ClosableSource,
  openFsStreamSource,
  standardInputSource,
} from "./fs_stream_source.ts";
export { DescriptorSink, FileSink, type FileSinkOptions, openStandardOutput } from "./file_sink.ts";
export { FsFileSink, openFsStandardOutput } from "./fs_file_sink.ts";
