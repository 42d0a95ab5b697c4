/**
 * Steps on the content of a client's own files.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { readAt, withFile, writeAllAt } from "#tests/support/posix_files.ts";
import {
  BLOCK_SIZE,
  type Draws,
  pathOf,
  SIZE_MAX,
  type Step,
  type Target,
} from "#tests/support/property_draws.ts";
import { assertKnownBytes, type Model } from "#tests/support/property_model.ts";

const { O, Fallocate, Seek } = posix;

const OPEN_FILES_MAX = 6;

/** See the module. */
export class FileSteps {
  readonly #draws: Draws;

  constructor(draws: Draws) {
    this.#draws = draws;
  }

  write(model: Model): Step | undefined {
    const target = this.#draws.target(model, true);
    if (target === undefined) return undefined;
    const offset = this.#draws.offset(model.file(target.number).bytes.length);
    const bytes = this.#draws.content(Math.min(this.#draws.length(), SIZE_MAX - offset));
    return {
      text: `write ${bytes.length} bytes (${bytes[0]} …) at ${offset} of ${target.text}`,
      perform: () => target.use((fd) => writeAllAt(fd, bytes, offset)),
      effect: (model) => model.write(target.number, offset, bytes),
      touched: target.number,
    };
  }

  append(model: Model): Step | undefined {
    const path = this.#draws.fileName(model);
    const number = model.names.get(path);
    if (number === undefined) return undefined;
    const size = model.file(number).bytes.length;
    const bytes = this.#draws.content(Math.min(this.#draws.length(), SIZE_MAX - size));
    if (bytes.length === 0) return undefined;
    return {
      text: `append ${bytes.length} bytes to file ${number} "${path}" of ${size}`,
      perform: () => {
        const written = withFile(
          this.#draws.path(path),
          O.WRONLY | O.APPEND,
          (fd) => posix.write(fd, bytes),
        );
        assert.equal(written, bytes.length, "bytes appended");
      },
      effect: (model) => model.write(number, size, bytes),
      touched: number,
    };
  }

  truncate(model: Model): Step | undefined {
    const target = this.#draws.target(model, true);
    if (target === undefined) return undefined;
    const { number } = target;
    const before = model.file(number).bytes.length;
    const size = this.#draws.random.oneIn(5) ? 0 : this.#draws.offset(before);
    const path = [...model.names].find(([, each]) => each === number)?.[0];
    const byName = path !== undefined && this.#draws.random.oneIn(2);
    if (size === 0 && byName && this.#draws.random.oneIn(2)) {
      return {
        text: `open file ${number} "${path}" with O_TRUNC, of ${before} bytes`,
        perform: () => withFile(this.#draws.path(path), O.RDWR | O.TRUNC, () => {}),
        effect: (model) => model.resize(number, 0),
        touched: number,
      };
    }
    return {
      text: `truncate ${byName ? "by name " : ""}${target.text} from ${before} to ${size}`,
      perform: () => {
        if (byName) posix.truncate(this.#draws.path(path), size);
        else target.use((fd) => posix.ftruncate(fd, size));
      },
      effect: (model) => model.resize(number, size),
      touched: number,
    };
  }

  fallocate(model: Model): Step | undefined {
    const target = this.#draws.target(model, true);
    if (target === undefined) return undefined;
    const { KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE } = Fallocate;
    const mode = this.#draws.random.pick([
      0,
      KEEP_SIZE,
      KEEP_SIZE | PUNCH_HOLE,
      KEEP_SIZE | PUNCH_HOLE,
      ZERO_RANGE,
      KEEP_SIZE | ZERO_RANGE,
    ]);
    const start = this.#draws.offset(model.file(target.number).bytes.length);
    const end = Math.min(SIZE_MAX + BLOCK_SIZE, start + this.#draws.length());
    return {
      text: `fallocate mode ${mode} from ${start} to ${end} of ${target.text}`,
      perform: () => target.use((fd) => posix.fallocate(fd, mode, start, end - start)),
      effect: (model) => {
        const doesGrow = (mode & KEEP_SIZE) === 0;
        const size = model.file(target.number).bytes.length;
        if ((mode & (PUNCH_HOLE | ZERO_RANGE)) !== 0) {
          model.zero(target.number, { start, end }, doesGrow);
        } else if (doesGrow && end > size) {
          model.resize(target.number, end);
        }
      },
      touched: target.number,
    };
  }

  read(model: Model): Step | undefined {
    const target = this.#draws.target(model, false);
    return target === undefined ? undefined : readStep(this.#draws, model, target);
  }

  seek(model: Model): Step | undefined {
    const target = this.#draws.target(model, false);
    if (target === undefined) return undefined;
    const { bytes } = model.file(target.number);
    if (bytes.length === 0) return undefined;
    const offset = this.#draws.random.between(0, bytes.length - 1);
    return {
      text: `look for hole and data from ${offset} of ${target.text}`,
      perform: () =>
        target.use((fd) => {
          const hole = posix.lseek(fd, offset, Seek.HOLE);
          assert.ok(hole >= offset && hole <= bytes.length, `hole at ${hole} of ${bytes.length}`);
          let data = bytes.length;
          try {
            data = posix.lseek(fd, offset, Seek.DATA);
          } catch (error) {
            if (!(error instanceof OsError && error.errno === Errno.ENXIO)) throw error;
          }
          const lost = bytes.subarray(offset, data).findIndex((byte) => byte !== 0);
          assert.equal(lost, -1, `data at ${offset + lost} although none before ${data}`);
        }),
    };
  }

  copyRange(model: Model): Step | undefined {
    const source = this.#draws.target(model, false);
    const target = this.#draws.target(model, true);
    if (source === undefined || target === undefined || source.number === target.number) {
      return undefined;
    }
    const from = model.file(source.number).bytes;
    const offset = this.#draws.offset(model.file(target.number).bytes.length);
    const sourceOffset = this.#draws.offset(from.length);
    const size = Math.min(this.#draws.length(), SIZE_MAX - offset);
    const bytes = from.slice(sourceOffset, sourceOffset + size);
    return {
      text: `copy ${size} bytes from ${sourceOffset} of ${source.text} ` +
        `to ${offset} of ${target.text}`,
      perform: () =>
        source.use((fdIn) =>
          target.use((fdOut) => {
            let done = 0;
            while (done < size) {
              const got = posix.copyFileRange(
                { fd: fdIn, offset: sourceOffset + done },
                { fd: fdOut, offset: offset + done },
                size - done,
              );
              if (got === 0) break;
              done += got;
            }
            assert.equal(done, bytes.length, "bytes copied");
          })
        ),
      effect: (model) => model.write(target.number, offset, bytes),
      touched: target.number,
    };
  }

  writeMapped(model: Model, isDoomed: boolean): Step | undefined {
    if (isDoomed) return undefined;
    const held = this.#draws.places.openFiles.find((file) => file.mapping !== undefined);
    const number = held?.number ?? model.names.get(this.#draws.fileName(model));
    if (number === undefined) return undefined;
    const file = model.file(number);
    const mapped = held?.mapping?.bytes.length ?? file.bytes.length;
    const end = Math.min(mapped, file.bytes.length);
    if (end === 0) return undefined;
    const offset = this.#draws.random.between(0, end - 1);
    const bytes = this.#draws.content(Math.min(this.#draws.length(), end - offset));
    const isSynced = this.#draws.random.oneIn(2);
    const text = `write ${bytes.length} bytes at ${offset} of file ${number} by a mapping` +
      (held === undefined ? "" : " of long ago") + (isSynced ? ", synced" : "");
    const use = (mapping: posix.Mapping) => {
      assertKnownBytes(mapping.bytes.subarray(0, end), file, 0, text);
      mapping.bytes.set(bytes, offset);
      if (isSynced) mapping.sync();
    };
    return {
      text,
      perform: () => {
        if (held?.mapping !== undefined) return use(held.mapping);
        withFile(this.#draws.path(pathOf(model, number)), O.RDWR, (fd) => {
          const mapping = posix.mapShared(fd, end);
          use(mapping);
          mapping.unmap();
        });
      },
      effect: (model) => model.write(number, offset, bytes),
    };
  }

  /** Opens a file for later steps, some of them with a mapping. */
  hold(model: Model, isDoomed: boolean): Step | undefined {
    const { openFiles, shared } = this.#draws.places;
    if (openFiles.length >= OPEN_FILES_MAX) return undefined;
    const isShared = this.#draws.random.oneIn(6);
    const number = isShared ? shared.number : model.names.get(this.#draws.fileName(model));
    if (number === undefined) return undefined;
    const path = pathOf(model, number);
    const size = model.file(number).bytes.length;
    const isMapped = !isShared && !isDoomed && size > 0 && this.#draws.random.oneIn(3) &&
      openFiles.every((file) => file.mapping === undefined);
    const isWritable = isShared || isMapped || this.#draws.random.oneIn(2);
    return {
      text: `open file ${number} "${path}" ${isWritable ? "to write" : "to read"}` +
        (isMapped ? `, mapped ${size} bytes` : ""),
      perform: () => {
        const fd = posix.open(this.#draws.path(path), isWritable ? O.RDWR : O.RDONLY);
        const mapping = isMapped ? { mapping: posix.mapShared(fd, size) } : {};
        openFiles.push({ fd, number, isWritable, ...mapping });
      },
    };
  }

  letGo(): Step | undefined {
    const { openFiles } = this.#draws.places;
    if (openFiles.length === 0) return undefined;
    const file = this.#draws.random.pick(openFiles);
    return {
      text: `close file ${file.number} open as ${file.fd}`,
      perform: () => {
        openFiles.splice(openFiles.indexOf(file), 1);
        file.mapping?.unmap();
        posix.close(file.fd);
      },
    };
  }

  sync(model: Model): Step | undefined {
    const target = this.#draws.target(model, true);
    if (target === undefined) return undefined;
    const dataOnly = this.#draws.random.oneIn(2);
    return {
      text: `${dataOnly ? "fdatasync" : "fsync"} ${target.text}`,
      perform: () => target.use((fd) => dataOnly ? posix.fdatasync(fd) : posix.fsync(fd)),
    };
  }

  status(model: Model): Step | undefined {
    const target = this.#draws.target(model, false);
    if (target === undefined) return undefined;
    return {
      text: `stat ${target.text}`,
      perform: () =>
        target.use((fd) => {
          const { size, nlink } = posix.fstat(fd);
          assert.equal(size, model.file(target.number).bytes.length, "size");
          assert.equal(nlink, model.linkCount(target.number), "number of links");
        }),
    };
  }
}

/** A step that reads somewhere in a file and compares. */
export function readStep(draws: Draws, model: Model, target: Target): Step {
  const file = model.file(target.number);
  const offset = draws.offset(file.bytes.length);
  const size = draws.random.oneIn(4) ? SIZE_MAX + BLOCK_SIZE : draws.length();
  const text = `read ${size} bytes at ${offset} of ${target.text}`;
  return {
    text,
    perform: () =>
      target.use((fd) => {
        const found = readAt(fd, offset, size);
        const length = Math.max(0, Math.min(size, file.bytes.length - offset));
        assert.equal(found.length, length, `${text}: length`);
        assertKnownBytes(found, file, offset, text);
      }),
  };
}
