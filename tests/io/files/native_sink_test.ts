import assert from "node:assert/strict";
import { OsError } from "#src/errors.ts";
import { DescriptorSink, NativeFileSink } from "#src/io/files/native_sink.ts";
import { PlainFileSink } from "#src/io/files/plain_sink.ts";
import { openPlainStream } from "#src/io/files/plain_stream.ts";
import * as host from "#ffi/libc/calls.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const MIB = 1 << 20;

/** Bytes that are different at every offset of interest. */
function pattern(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  new Uint32Array(bytes.buffer, 0, size >> 2).forEach((_, index, words) => words[index] = index);
  return bytes;
}

function isTaken(error: unknown): boolean {
  return error instanceof OsError && error.code === "EEXIST";
}

for (
  const [name, create] of [
    ["NativeFileSink", NativeFileSink.create],
    ["PlainFileSink", PlainFileSink.create],
  ] as const
) {
  Deno.test(`${name} writes a new file with mode 0640`, () => {
    using scratch = new TempDirectory("sink");
    const path = scratch.join("new");
    const sink = create(path);
    sink.write(pattern(100));
    sink.write(pattern(MIB));
    assert.equal(sink.position, MIB + 100);
    sink.finish();
    sink.abort();
    assert.deepEqual(Deno.readFileSync(path).subarray(100), pattern(MIB));
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o640 & ~Deno.umask());
  });

  Deno.test(`${name} refuses names that are taken, also by a dangling link`, () => {
    using scratch = new TempDirectory("sink");
    Deno.writeTextFileSync(scratch.join("file"), "kept");
    Deno.symlinkSync("nowhere", scratch.join("link"));
    assert.throws(() => create(scratch.join("file")), isTaken);
    assert.throws(() => create(scratch.join("link")), isTaken);
    assert.equal(Deno.readTextFileSync(scratch.join("file")), "kept");
    assert.deepEqual([...Deno.readDirSync(scratch.path)].length, 2);
  });

  Deno.test(`${name}.abort() leaves nothing behind`, () => {
    using scratch = new TempDirectory("sink");
    const sink = create(scratch.join("given-up"));
    sink.write(pattern(100));
    sink.abort();
    assert.deepEqual([...Deno.readDirSync(scratch.path)], []);
  });

  Deno.test(`${name} replaces a file at the end and not before, whole`, () => {
    using scratch = new TempDirectory("sink");
    const path = scratch.join("file");
    Deno.writeTextFileSync(path, "old");
    const options = { isReplacing: true, isDurable: true, mode: 0o600 };
    const given = create(path, options);
    given.write(pattern(100));
    given.abort();
    const sink = create(path, options);
    sink.write(pattern(MIB));
    assert.equal(Deno.readTextFileSync(path), "old");
    sink.finish();
    sink.abort();
    assert.deepEqual(Deno.readFileSync(path), pattern(MIB));
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal([...Deno.readDirSync(scratch.path)].length, 1);
  });

  Deno.test(`${name} leaves nothing behind when it cannot have the name`, () => {
    using scratch = new TempDirectory("sink");
    const path = scratch.join("taken");
    const sink = create(path, { isReplacing: true });
    sink.write(pattern(100));
    Deno.mkdirSync(`${path}/in`, { recursive: true });
    assert.throws(() => sink.finish(), OsError);
    sink.abort();
    assert.deepEqual(Array.from(Deno.readDirSync(scratch.path), ({ name }) => name), ["taken"]);
  });
}

Deno.test("NativeFileSink gives its file the name at the end, and does not replace what has come meanwhile", () => {
  using scratch = new TempDirectory("sink");
  const path = scratch.join("late");
  const sink = NativeFileSink.create(path, { isDurable: true });
  sink.write(pattern(100));
  assert.deepEqual([...Deno.readDirSync(scratch.path)], []);
  Deno.writeTextFileSync(path, "other");
  assert.throws(() => sink.finish(), isTaken);
  sink.abort();
  assert.equal(Deno.readTextFileSync(path), "other");
});

Deno.test("NativeFileSink.copyFrom() copies what is there from any offset, and not past the end", () => {
  using scratch = new TempDirectory("sink");
  const content = pattern(20 * MIB + 123);
  Deno.writeFileSync(scratch.join("from"), content);
  const fd = host.unwrap(host.open(scratch.join("from"), host.OpenFlag.RDONLY), "open", "from");
  const sink = NativeFileSink.create(scratch.join("to"));
  sink.write(pattern(7));
  assert.equal(sink.copyFrom(fd, 0, 1000), 0, "small ones are for the reader");
  let copied = 0;
  const offset = 9 * MIB - 4;
  const size = content.length - offset;
  while (copied < size) {
    const count = sink.copyFrom(fd, offset + copied, size + MIB + 10_000 - copied);
    assert.ok(count > 0);
    copied += count;
  }
  assert.equal(copied, size);
  assert.equal(sink.copyFrom(fd, content.length, 2 * MIB), 0);
  sink.write(pattern(7));
  sink.finish();
  host.close(fd);
  const result = Deno.readFileSync(scratch.join("to"));
  assert.equal(result.length, size + 14);
  assert.deepEqual(result.subarray(7, 7 + size), content.subarray(offset));
});

Deno.test("NativeFileSink.copyFrom() copies holes as holes between data of any size", () => {
  using scratch = new TempDirectory("sink");
  const size = 40 * MIB;
  using from = Deno.openSync(scratch.join("from"), { write: true, createNew: true });
  for (const offset of [4096, 300_000, 5 * MIB, 5 * MIB + 65_536, 30 * MIB]) {
    from.seekSync(offset, Deno.SeekMode.Start);
    from.writeSync(pattern(offset === 30 * MIB ? 6 * MIB : 5000));
  }
  from.truncateSync(size);
  const fd = host.unwrap(host.open(scratch.join("from"), host.OpenFlag.RDONLY), "open", "from");
  const sink = NativeFileSink.create(scratch.join("to"));
  sink.write(pattern(5000));
  for (let copied = 0; copied < size;) {
    const count = sink.copyFrom(fd, copied, size - copied);
    assert.ok(count > 0);
    copied += count;
  }
  sink.finish();
  host.close(fd);
  const result = Deno.readFileSync(scratch.join("to")).subarray(5000);
  assert.ok(result.length === size);
  assert.deepEqual(result, Deno.readFileSync(scratch.join("from")));
  assert.ok(Deno.statSync(scratch.join("to")).blocks! * 512 < 10 * MIB);
});

Deno.test("DescriptorSink writes to and copies into what is open already", () => {
  using scratch = new TempDirectory("sink");
  const content = pattern(3 * MIB);
  Deno.writeFileSync(scratch.join("from"), content);
  const { RDONLY, WRONLY, CREAT } = host.OpenFlag;
  const fd = host.unwrap(host.open(scratch.join("from"), RDONLY), "open", "from");
  const out = host.unwrap(host.open(scratch.join("to"), WRONLY | CREAT, 0o600), "open", "to");
  const sink = new DescriptorSink(out, "to");
  sink.write(pattern(9));
  for (let copied = 0; copied < 2 * MIB;) {
    copied += sink.copyFrom(fd, 5 + copied, Math.max(MIB, 2 * MIB - copied));
  }
  host.close(out);
  host.close(fd);
  const result = Deno.readFileSync(scratch.join("to"));
  assert.deepEqual(result.subarray(9, 9 + 2 * MIB), content.subarray(5, 5 + 2 * MIB));
});

Deno.test("NativeFileSink, PlainFileSink and stream sources say EBADF when they are used after their end", () => {
  using place = new TempDirectory("ended");
  const bytes = new Uint8Array(3);
  for (const create of [NativeFileSink.create, PlainFileSink.create]) {
    for (const end of ["finish", "abort"] as const) {
      const sink = create(place.join(`${create === NativeFileSink.create}-${end}`));
      sink.write(bytes);
      sink[end]();
      assert.throws(() => sink.write(bytes), { name: "OsError", code: "EBADF" });
      assert.throws(() => sink.finish(), { name: "OsError", code: "EBADF" });
      sink.abort();
    }
  }
  assert.deepEqual(Array.from(Deno.readDirSync(place.path), ({ name }) => name).sort(), [
    "false-finish",
    "true-finish",
  ]);
  const stream = openPlainStream(place.join("true-finish"));
  stream.close();
  stream.close();
  assert.throws(() => stream.read(bytes), { name: "OsError", code: "EBADF" });
});
