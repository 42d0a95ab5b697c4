/**
 * How a stream is divided: what the fixed, the content-defined and the payload chunker have in
 * common.
 *
 * @module
 */

/**
 * Decides where the chunks of one stream end. The bytes stay where they are: a cutter is told where
 * the running chunk begins and how much of it is there.
 */
export interface Cutter {
  /** No chunk is larger. */
  readonly chunkSizeMax: number;
  /**
   * How many more bytes should be there before {@link cut} is called, if `available` are; more than
   * 0. Looking in pieces of a size of its own makes a cutter fast, or independent of how its stream
   * was written.
   */
  gather(available: number): number;
  /**
   * Looks for the end of the running chunk.
   *
   * @param start address of the chunk's first byte
   * @param available bytes of it that are there
   * @returns the chunk's size, and the next chunk is the running one; 0 when the end is not there
   *   yet
   */
  cut(start: number, available: number): number;
  /** Begins a new chunk `distance` bytes after the start of the running one. */
  restart(distance: number): void;
}
