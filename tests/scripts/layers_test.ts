/// <reference lib="deno.unstable" />
import assert from "node:assert/strict";
import plugin from "../../scripts/lint/layers.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What the plugin says to a module at that path of the checkout. */
function complaints(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, ROOT + path, source).map((diagnostic) => diagnostic.message);
}

const ALLOWED: readonly [string, string][] = [
  ["src/cli/commands/mount.ts", "#src/mount/mount.ts"],
  ["src/cli/commands/show.ts", "#src/pgprobackup/catalog.ts"],
  ["src/cli/version.ts", "#src/usecases/program_version.ts"],
  ["src/usecases/program_version.ts", "#version"],
  ["src/usecases/mounting/unmount.ts", "#src/mount/mount_table.ts"],
  ["src/mount/bridge.ts", "#ffi/libfuse3/session.ts"],
  ["src/mount/bridge.ts", "#src/tree/file_system.ts"],
  ["src/pgprobackup/chain.ts", "./format/control.ts"],
  ["src/pgprobackup/chain.ts", "#src/io/byte_source.ts"],
  ["src/pgprobackup/format/pglz.ts", "./page_map.ts"],
  ["src/pgprobackup/format/pglz.ts", "#src/bytes/cursor.ts"],
  ["src/codecs/zlib.ts", "#ffi/libz.ts"],
  ["src/codecs/zlib.ts", "node:zlib"],
  ["src/io/process.ts", "#ffi/libc/calls.ts"],
  ["src/overlay/node_table.ts", "#src/threads/lock.ts"],
  ["src/overlay/overlay.ts", "#ffi/libc/calls.ts"],
  ["src/errors.ts", "#ffi/os_error.ts"],
  ["ffi/libfuse3/session.ts", "#ffi/libc/calls.ts"],
  ["ffi/libfuse3/session.ts", "../libc/calls.ts"],
  ["main.ts", "./src/cli/run.ts"],
  ["src/pxar/mod.ts", "./builder/mod.ts"],
  ["tests/pxar/encoder_test.ts", "#src/pxar/mod.ts"],
  ["src/pxar/builder/build_archive.ts", "../writing/output_buffer.ts"],
  ["tests/pxar/content_holes_test.ts", "#src/pxar/reading/content_holes.ts"],
  ["tests/mount/bridge_test.ts", "#ffi/libc/calls.ts"],
];

const REFUSED: readonly [string, string][] = [
  ["src/overlay/overlay.ts", "#src/mount/bridge.ts"],
  ["src/overlay/overlay.ts", "#src/pgprobackup/mod.ts"],
  ["src/overlay/overlay.ts", "#ffi/libz.ts"],
  ["src/overlay/overlay.ts", "../cli/run.ts"],
  ["src/mount/bridge.ts", "#src/pgprobackup/mod.ts"],
  ["src/mount/bridge.ts", "#src/cli/run.ts"],
  ["src/tree/walk.ts", "#ffi/libc/calls.ts"],
  ["src/io/process.ts", "#ffi/libfuse3/session.ts"],
  ["src/cli/run.ts", "#ffi/libz.ts"],
  ["src/usecases/mounting/unmount.ts", "#src/cli/run.ts"],
  ["src/backup/backup.ts", "#src/usecases/threads.ts"],
  ["src/bytes/cursor.ts", "node:fs"],
  ["src/bytes/cursor.ts", "#src/io/process.ts"],
  ["src/pgprobackup/format/pglz.ts", "node:zlib"],
  ["src/pgprobackup/format/pglz.ts", "../chain.ts"],
  ["src/pgprobackup/format/pglz.ts", "#src/pxar/format/header.ts"],
  ["src/pgprobackup/chain.ts", "#src/pxar/format/header.ts"],
  ["src/pgprobackup/chain.ts", "#tests/support/temp.ts"],
  ["src/threads/lock.ts", "#src/io/process.ts"],
  ["src/tree/walk.ts", "#src/threads/waiting.ts"],
  ["src/errors.ts", "#ffi/libc/calls.ts"],
  ["ffi/libc/files.ts", "#src/errors.ts"],
  ["ffi/libc/files.ts", "#ffi/libfuse3/session.ts"],
  ["main.ts", "#src/mount/bridge.ts"],
  ["src/cli/commands/show.ts", "#src/pgprobackup/mod.ts"],
  ["src/pxar/verify.ts", "./builder/mod.ts"],
  ["src/backup/backup.ts", "#src/pxar/writing/output_buffer.ts"],
];

Deno.test("layers/direction allows imports downwards", () => {
  for (const [path, specifier] of ALLOWED) {
    assert.deepEqual(complaints(path, `import "${specifier}";`), [], `${path} → ${specifier}`);
  }
});

Deno.test("layers/direction refuses imports upwards and sideways in every form", () => {
  for (const [path, specifier] of REFUSED) {
    for (
      const source of [
        `import { x } from "${specifier}";`,
        `import type { X } from "${specifier}";`,
        `export { x } from "${specifier}";`,
        `export * from "${specifier}";`,
        `await import("${specifier}");`,
      ]
    ) assert.equal(complaints(path, source).length, 1, `${path}: ${source}`);
  }
});

Deno.test("layers/purity refuses the outside world, clocks and randomness in pure folders only", () => {
  for (
    const source of [
      "Deno.readFileSync(x);",
      "console.log(1);",
      "const t = Date.now();",
      "const t = new Date();",
      "const r = Math.random();",
      "fetch(x);",
      "crypto.getRandomValues(x);",
    ]
  ) {
    assert.equal(complaints("src/bytes/cursor.ts", source).length, 1, source);
    assert.equal(complaints("src/pxar/format/header.ts", source).length, 1, source);
    assert.equal(complaints("src/io/clock.ts", source).length, 0, source);
  }
  for (const source of ["const t = new Date(5);", "x.process = 1;", "Math.floor(x);"]) {
    assert.equal(complaints("src/bytes/cursor.ts", source).length, 0, source);
  }
});

Deno.test("layers/dlopen refuses libraries outside of ffi", () => {
  const source = 'Deno.dlopen("libc.so.6", {});';
  assert.equal(complaints("src/io/process.ts", source).length, 1);
  assert.equal(complaints("ffi/libc/files.ts", source).length, 0);
});

Deno.test("layers/threads refuses threads and waits outside of src/threads", () => {
  for (
    const source of [
      "new Worker(url, { type: 'module' });",
      "Atomics.wait(cells, 0, 0);",
      "await Atomics.waitAsync(cells, 0, 0).value;",
      "Atomics.notify(cells, 0);",
    ]
  ) {
    assert.equal(complaints("src/overlay/copy_job.ts", source).length, 1, source);
    assert.equal(complaints("src/threads/thread.ts", source).length, 0, source);
    assert.equal(complaints("tests/threads/thread_test.ts", source).length, 0, source);
  }
  for (
    const source of [
      "Atomics.store(cells, 0, 1);",
      "class Worker {}\nconst worker = new Worker();",
      'import { Worker } from "./worker_class.ts";\nconst worker = new Worker();',
    ]
  ) assert.equal(complaints("src/cli/find.ts", source).length, 0, source);
});

Deno.test("layers/terminal keeps the command line out of use cases", () => {
  const path = "src/usecases/archive/create.ts";
  for (
    const source of [
      "Deno.args;",
      'Deno.env.get("HOME");',
      "Deno.stdin.readSync(b);",
      "console.log(1);",
      'import { Command } from "commander"; new Command();',
    ]
  ) {
    assert.equal(complaints(path, source).length, 1, source);
    assert.deepEqual(complaints("src/cli/run.ts", source), [], source);
  }
  for (const source of ["Deno.lstatSync(p);", "terminal.stdout;", "const args = 1; args;"]) {
    assert.deepEqual(complaints(path, source), [], source);
  }
});
