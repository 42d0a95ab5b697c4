import assert from "node:assert/strict";
import * as host from "#ffi/libc/calls.ts";
import { EntryType } from "#src/bytes/file_type.ts";
import { listOpenDirectory } from "#src/io/files/open_directory.ts";
import { Errno, OsError } from "#src/errors.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

Deno.test("listOpenDirectory gives every entry with its type", () => {
  using home = new TempDirectory("listing");
  const expected = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const name = `file ${"x".repeat(i % 50)} ${i}`;
    Deno.writeTextFileSync(home.join(name), "");
    expected.set(name, EntryType.FILE);
  }
  Deno.mkdirSync(home.join("directory"));
  Deno.symlinkSync("nowhere", home.join("link"));
  expected.set("directory", EntryType.DIRECTORY).set("link", EntryType.SYMLINK);
  const raw = "\udcff"; // the byte ff, which is not UTF-8
  const fd = host.open(home.path, host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY);
  try {
    const file = host.openAt(fd, raw, host.OpenFlag.WRONLY | host.OpenFlag.CREAT, 0o600);
    host.close(host.unwrap(file, "create", "raw"));
    expected.set(raw, EntryType.FILE);
    const entries = listOpenDirectory(fd, home.path);
    assert.equal(entries.length, expected.size);
    assert.deepEqual(new Map(entries.map(({ name, type }) => [name, type])), expected);
    host.unlinkAt(fd, raw);
  } finally {
    host.close(fd);
  }
});

Deno.test("listOpenDirectory fails for what is no directory", () => {
  using home = new TempDirectory("listing");
  Deno.writeTextFileSync(home.join("file"), "");
  const fd = host.open(home.join("file"), host.OpenFlag.RDONLY);
  assert.throws(() => listOpenDirectory(fd, "file"), OsError);
  host.close(fd);
});

Deno.test("listOpenDirectory gives nothing of a directory that was removed since it was opened", () => {
  using home = new TempDirectory("listing");
  Deno.mkdirSync(home.join("gone"));
  const fd = host.open(home.join("gone"), host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY);
  try {
    Deno.removeSync(home.join("gone"));
    assert.equal(host.getdents(fd, new Uint8Array(1024)), -Errno.ENOENT);
    assert.deepEqual(listOpenDirectory(fd, home.join("gone")), []);
  } finally {
    host.close(fd);
  }
});
