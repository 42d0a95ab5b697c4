/**
 * Memory by address, for code above the formats.
 *
 * @module
 */

export * from "#ffi/memory.ts";
export {
  type AddressRange,
  cleanFileMappings,
  keepHeapSmall,
  releaseUnusedMemory,
} from "#ffi/process_memory.ts";
