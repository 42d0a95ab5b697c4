import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { ARGUMENTS, FLAGS, inWordsOf, remedyOf } from "#src/cli/remedy.ts";
import { Errno, LimitError, OsError, StateError, UsageError } from "#src/errors.ts";
import { formatCall } from "#src/usecases/call_text.ts";
import { formatUnmountCall } from "#src/usecases/mounting/control/unmount_call.ts";
import { DiffLockedError } from "#src/overlay/diff_lock.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { MOUNT_PERMISSIONS, runProgram } from "./_program.ts";

const PLAIN = new Command("plain");
const FORCING = new Command("mount").option("--force").option("-d, --diff-dir <path>");

Deno.test("remedyOf() names the flag of the command that failed, and no flag that it does not have", () => {
  const error = new StateError("dirty", "Cannot mount", {
    hint: "Mount it anyway",
    option: "force",
  });
  assert.deepEqual(remedyOf(error, FORCING), {
    hint: "Mount it anyway (--force)",
    option: "--force",
  });
  assert.deepEqual(remedyOf(error, PLAIN), {
    hint: "Mount it anyway",
    option: undefined,
  });
  assert.deepEqual(remedyOf(error, undefined), {
    hint: "Mount it anyway",
    option: undefined,
  });
  const elsewhere = new StateError("foreign-diff", "x", {
    hint: "Give another",
    option: "diffPath",
  });
  assert.equal(remedyOf(elsewhere, FORCING).hint, "Give another (-d/--diff-dir)");
});

Deno.test("remedyOf() never shows the library's name of an option", () => {
  const error = new LimitError("Too many", { hint: "Allow more", option: "entriesMax" });
  assert.deepEqual(remedyOf(error, PLAIN), { hint: "Allow more", option: undefined });
});

Deno.test("inWordsOf() puts flags and commands in place of the library's options and calls", () => {
  const command = new Command("mount").option("-i, --backup-id <id>").option("--perf-unsafe");
  assert.equal(inWordsOf(command, "`backupId` is required", "long"), "-i/--backup-id is required");
  assert.equal(inWordsOf(command, "Give it with `backupId`", "short"), "Give it with -i");
  assert.equal(inWordsOf(PLAIN, "With `skipFsync` nothing", "short"), "With --perf-unsafe nothing");
  assert.equal(inWordsOf(undefined, "`backupId`", "long"), "--backup-id");
  for (const text of ["`nothing` and `f()`", "`constructor` and `toString`"]) {
    assert.equal(inWordsOf(command, text, "long"), text);
  }
  assert.equal(inWordsOf(command, undefined, "long"), undefined);
  const strange = `/a "b" }) c`;
  const call = formatUnmountCall({ mountPath: strange, diffPath: "/d\\", force: true });
  assert.equal(
    inWordsOf(
      command,
      `End it with ${call}, or ${formatUnmountCall({ mountPath: "/m" })}`,
      "short",
    ),
    `End it with pbkfs unmount -D '${strange}' -d '/d\\' --force, or pbkfs unmount -D /m`,
  );
});

Deno.test("inWordsOf() leaves calls alone that no command does", () => {
  const known = formatCall("unmapImage", { name: "a b", force: true });
  assert.equal(inWordsOf(PLAIN, known, "long"), "pbkfs pbs unmap 'a b' --force");
  const unknown = formatCall("toString", { name: "}" });
  assert.equal(inWordsOf(PLAIN, unknown, "long"), unknown);
});

Deno.test("remedyOf() does not name a flag twice", () => {
  const error = new UsageError("`diffPath` is required", { hint: "Give one", option: "diffPath" });
  assert.deepEqual(remedyOf(error, FORCING), { hint: "Give one", option: "--diff-dir" });
  const other = new UsageError("Wrong", { hint: "Leave out `force`", option: "diffPath" });
  assert.deepEqual(remedyOf(other, FORCING), { hint: "Leave out --force", option: "--diff-dir" });
});

Deno.test("the command line has a flag for every option that errors of the library name", () => {
  const source = fileURLToPath(new URL("../../src/", import.meta.url));
  const named = (directory: string): string[] =>
    [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
      const path = `${directory}/${name}`;
      if (isDirectory) return path === `${source}/cli` ? [] : named(path);
      const text = Deno.readTextFileSync(path);
      return [...text.matchAll(/\boption: "([^"]+)"/g)].map(([, option]) => option!);
    });
  const options = new Set(named(source));
  assert.ok(options.has("force") && options.has("diffPath"));
  for (const option of options) {
    if (!ARGUMENTS.has(option)) assert.match(FLAGS[option] ?? "none", /^--[a-z]/, option);
  }
});

Deno.test("remedyOf() of what is there already offers to replace files, and files only", () => {
  using directory = new TempDirectory("way-out");
  const path = directory.join("file");
  Deno.writeTextFileSync(path, "");
  const link = directory.join("link");
  Deno.symlinkSync("nowhere", link);
  const replacing = new Command("create").option("--overwrite");
  const inTheWay = (place: string) => new OsError(Errno.EEXIST, "create", place);
  assert.deepEqual(remedyOf(inTheWay(path), replacing), {
    hint: "Give another name, or replace what is there (--overwrite)",
    option: "--overwrite",
  });
  assert.equal(remedyOf(inTheWay(path), PLAIN).hint, "Give another name, or remove what is there");
  const none = { hint: "Give another name" };
  assert.deepEqual(remedyOf(inTheWay(directory.join("gone")), replacing), none);
  for (
    const [place, words] of [
      [directory.path, ", or rename the directory that is there"],
      [link, ", or remove the link that is there"],
      ["/dev/null", ": devices, FIFOs and sockets are never replaced"],
    ] as const
  ) {
    assert.deepEqual(remedyOf(inTheWay(place), replacing), { hint: none.hint + words });
  }
  const target = (errno: number, place: string) =>
    remedyOf(new OsError(errno, "open directory", place), replacing).hint;
  assert.match(target(Errno.ENOTDIR, path)!, /a directory, or a name that is not taken/);
  assert.match(target(Errno.ENOENT, `${link}/`)!, /leads nowhere/);
});

Deno.test("remedyOf() of a diff directory in use is the command that unmounts it", () => {
  const error = new DiffLockedError("/diff", { pid: 5, mountPath: "/mnt" });
  assert.equal(remedyOf(error, FORCING).hint, "Run pbkfs unmount -D /mnt -d /diff first");
  const wayOutOfCleanup = { hint: "Empty it all the same", option: "force" };
  const busy = new DiffLockedError("/diff", { pid: 5, mountPath: "/mnt" }, "busy", wayOutOfCleanup);
  assert.match(remedyOf(busy, FORCING).hint!, /^Run pbkfs unmount .* first \(or give --force\)$/);
  const unknown = new DiffLockedError("/diff", undefined);
  assert.equal(remedyOf(unknown, FORCING).hint, "Unmount it first");
});

Deno.test("pbkfs names the way out beside what is wrong, with words beside the errno", async () => {
  using directory = new TempDirectory("way-out");
  const place = directory.path;
  Deno.mkdirSync(`${place}/source`);
  Deno.mkdirSync(`${place}/catalog/backups/main`, { recursive: true });
  for (const name of ["a", "b"]) Deno.writeTextFileSync(`${place}/source/${name}`, name);
  const options = { cwd: place, permissions: [...MOUNT_PERMISSIONS, "--allow-write"] };
  assert.equal((await runProgram(["pxar", "create", "x.pxar", "source"], options)).code, 0);
  const lines: readonly [string, RegExp][] = [
    ["pxar create x.pxar source", /"x\.pxar": EEXIST \(there is one already\): .*\(--overwrite\)/],
    ["pxar create no/x.pxar source", /ENOENT \(no such file or directory\): Make .* "no" first/],
    ["pxar create y.pxar source --entries-max 1", /Allow more \(--entries-max\)/],
    ["pxar extract x.pxar source", /"source\/a"[^]*Not everything .* replaced \(--overwrite\)/],
    ["pxar keygen x.pxar", /EEXIST .*: Give another name, or remove what is there/],
    ["show -B catalog -I other", /Instances there: main/],
    ["show -B catalog -i NONE", /Cannot find backup NONE: Backups there: none/],
    ["show", /-B\/--pbk-store is required: .*BACKUP_PATH/],
    ["cleanup", /-d\/--diff-dir is required/],
    ["cleanup -d source", /Empty it all the same .*\(--force\)/],
    ["cleanup -d /", /Give a diff directory \(-d\/--diff-dir\)/],
    ["mount -D source -d source2", /Give the catalog \(-B\/--pbk-store\)/],
    ["mount -B catalog -D source", /-d\/--diff-dir is required/],
  ];
  for (const [line, expected] of lines) {
    const { code, stderr } = await runProgram(line.split(" "), options);
    assert.notEqual(code, 0, line);
    assert.match(stderr, expected, line);
    // No name of a function's option, no bare errno, no undefined.
    assert.doesNotMatch(
      stderr.replaceAll(/"[^"]*"|pg_probackup/g, ""),
      /[a-z]_[a-z]|\b[a-z]+[A-Z][a-z]+\b|: E[A-Z]+(?: *$|:)|undefined/m,
      line,
    );
  }
});
