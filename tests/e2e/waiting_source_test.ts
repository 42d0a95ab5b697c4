/**
 * Mounts whose source is another mount, the server of which is stopped: an archive in an archive,
 * and a backup in an archive.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isMounted } from "#src/mount/mod.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import {
  type CommandResult,
  runCommand,
  RunningCommand,
  waitUntil,
} from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 60_000;
/** For what takes milliseconds on a machine that has nothing else to do. */
const PROMPT_MS = 20_000;
const FILES = 100;
const FILE_SIZE = 300_000;
const ENDED_BY_SIGINT = 130;
const FEW = 20;

/** Mounts that are served in the foreground, so that their processes can be stopped. */
class Scene implements AsyncDisposable {
  readonly home = new TempDirectory("waiting");
  readonly lower = this.home.join("lower");
  readonly upper = this.home.join("upper");
  readonly #servers: RunningCommand[] = [];

  constructor() {
    for (const path of [this.lower, this.upper]) Deno.mkdirSync(path);
  }

  async serve(mountPath: string, args: readonly string[]): Promise<RunningCommand> {
    const server = new RunningCommand(pbkfsCommand([...args, "--console"]));
    this.#servers.push(server);
    await waitUntil(
      () => Promise.resolve(isMounted(mountPath)),
      TIMEOUT_MS,
      () => server.stderr,
    );
    return server;
  }

  /** Packs a directory and mounts it at `lower`, served by one thread. */
  async serveLower(directory: string): Promise<RunningCommand> {
    const archive = this.home.join("outer.pxar");
    await pbkfs(["pxar", "create", archive, directory], true);
    return await this.serve(this.lower, ["pxar", "mount", archive, this.lower, "--workers", "1"]);
  }

  /** Forgets what the kernel has of files below a path. */
  async dropPages(path: string): Promise<void> {
    const script = 'find "$1" -type f -exec dd if={} iflag=nocache count=0 status=none \\;';
    await runCommand(["sh", "-c", script, "sh", path], { timeoutMs: TIMEOUT_MS });
  }

  /** Runs a shell command that must not have to wait; `$1` is the upper mount. */
  prompt(script: string): Promise<CommandResult> {
    return runCommand(["sh", "-c", script, "sh", this.upper], { timeoutMs: PROMPT_MS });
  }

  /** One process for each name, that reads it. */
  read(names: readonly string[]): RunningCommand[] {
    return names.map((name) => new RunningCommand(["cksum", name], { cwd: this.upper }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.signalGroup("SIGCONT");
    for (const path of [this.upper, this.lower]) {
      await runCommand(["umount", "-l", path], { timeoutMs: TIMEOUT_MS, check: false });
    }
    for (const server of this.#servers) await server.wait(TIMEOUT_MS);
    this.home[Symbol.dispose]();
  }
}

function fill(directory: string, names: readonly string[], size: number): void {
  Deno.mkdirSync(directory, { recursive: true });
  const content = new Uint8Array(size);
  for (const name of names) {
    for (let at = 0; at < size; at += 65_536) {
      crypto.getRandomValues(content.subarray(at, at + 65_536));
    }
    Deno.writeFileSync(`${directory}/${name}`, content);
  }
}

/** `cksum NAME` of each name, as it is in a plain directory. */
async function checksums(directory: string, names: readonly string[]): Promise<string[]> {
  const { stdout } = await runCommand(["cksum", ...names], {
    timeoutMs: TIMEOUT_MS,
    cwd: directory,
  });
  return stdout.trimEnd().split("\n");
}

/**
 * Waits until all these processes sleep in the kernel: they read, or have the shell's child do it.
 */
async function waitUntilAsleep(processes: readonly RunningCommand[]): Promise<void> {
  const pids = processes.map(({ pid }) => pid).join();
  const states = async () => {
    const { stdout } = await runCommand(["ps", "-o", "state=", "-p", pids], {
      timeoutMs: TIMEOUT_MS,
    });
    return stdout.trim().split("\n");
  };
  // D, or S as long as it can be interrupted.
  await waitUntil(
    async () => (await states()).every((state) => state === "D" || state === "S"),
    TIMEOUT_MS,
    () => pids,
  );
}

const names = Array.from({ length: FILES }, (_, index) => `file-${index}`);

Deno.test({
  name: "100 reads of an archive wait for another mount, and the file system answers",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using scene = new Scene();
    const source = scene.home.join("source");
    fill(source, names, FILE_SIZE);
    const outer = scene.home.join("outer");
    Deno.mkdirSync(outer);
    await pbkfs(["pxar", "create", `${outer}/inner.pxar`, source], true);
    const server = await scene.serveLower(outer);
    const inner = `${scene.lower}/inner.pxar`;
    const upper = await scene.serve(scene.upper, [
      ...["pxar", "mount", inner, scene.upper, "--workers", "2"],
    ]);
    await scene.prompt('ls -l "$1"');
    await scene.dropPages(scene.lower);

    server.signalGroup("SIGSTOP");
    const readers = scene.read(names);
    await waitUntil(
      () => Promise.resolve(/requests wait for their source/.test(upper.stderr)),
      TIMEOUT_MS,
      () => upper.stderr,
    );
    await waitUntilAsleep(readers);
    await scene.prompt('stat -f "$1"');
    readers[FILES - 1]!.signalGroup("SIGINT");
    assert.equal((await readers[FILES - 1]!.wait(PROMPT_MS)).code, ENDED_BY_SIGINT);
    // What the kernel does not know of a directory is in the source: it waits, and can be
    // interrupted.
    const lookup = new RunningCommand(["stat", "no-such-name"], { cwd: scene.upper });
    await waitUntilAsleep([lookup]);
    lookup.signalGroup("SIGKILL");
    await lookup.wait(PROMPT_MS);
    await scene.prompt('stat -f "$1"');

    server.signalGroup("SIGCONT");
    const wanted = await checksums(source, names);
    for (const [index, reader] of readers.slice(0, -1).entries()) {
      const { stdout, stderr } = await reader.wait(TIMEOUT_MS);
      assert.equal(stdout, `${wanted[index]}\n`, stderr);
    }
    const { stdout } = await runCommand(["cksum", ...names], {
      timeoutMs: TIMEOUT_MS,
      cwd: scene.upper,
    });
    assert.deepEqual(stdout.trimEnd().split("\n"), wanted);
    await waitUntil(
      () => Promise.resolve(/source answers again/.test(upper.stderr)),
      TIMEOUT_MS,
      () => upper.stderr,
    );
    assert.doesNotMatch(upper.stderr, /ERROR/);
  },
});

Deno.test({
  name: "a backup whose files are on a mount that hangs takes changes, and shows what it knows",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using scene = new Scene();
    const source = scene.home.join("source");
    const relations = Array.from({ length: 40 }, (_, index) => `relation-${index}`);
    fill(source, relations, 80 * 8192);
    fill(source, ["plain", "other"], 100_000);
    const catalog = scene.home.join("catalog");
    const { instance, backupId } = buildDirectoryCatalog(catalog, source);
    const server = await scene.serveLower(catalog);
    await scene.serve(scene.upper, [
      ...["mount", "-B", scene.lower, "-I", instance, "-i", backupId, "--no-lock"],
      ...["-D", scene.upper, "-d", scene.home.join("diff"), "--workers", "2"],
      ...["--whole-copies", "0", "--log-sink", "file", "--log-file", scene.home.join("log")],
    ]);
    // In the diff from now on, each with one of its blocks.
    const change = (name: string) =>
      `printf changed | dd of="$1/${name}" bs=8192 seek=3 conv=notrunc`;
    await scene.prompt(`${change("relation-0")} && ${change("relation-38")}`);
    // While a name is looked up the kernel lets nobody change its directory; so what has to ask the
    // backup is asked before.
    await scene.prompt('stat "$1"/relation-* "$1/plain"');
    await scene.dropPages(scene.lower);

    server.signalGroup("SIGSTOP");
    const readers = scene.read(relations.slice(1, 31));
    const changed = ["sh", "-c", "printf x | dd of=relation-0 bs=1 seek=12345 conv=notrunc"];
    const writer = new RunningCommand(changed, { cwd: scene.upper });
    const copier = new RunningCommand(["sh", "-c", "echo more >> plain"], { cwd: scene.upper });
    await waitUntilAsleep([...readers, writer, copier]);
    // Names that the kernel has not asked for before, and a change of names.
    await scene.prompt('stat -f "$1" && stat "$1/other" && ! stat "$1/no-such-name"');
    await scene.prompt('mkdir "$1/new" && echo 1 > "$1/new/a" && mv "$1/new/a" "$1/new/b"');
    // Whole blocks need nothing of the backup. (The kernel lets only one write to a file at a
    // time.)
    await scene.prompt(
      'dd if=/dev/zero of="$1/relation-38" bs=8192 seek=5 count=3 conv=notrunc && ' +
        'dd if="$1/relation-38" of=/dev/null bs=8192 skip=5 count=3 iflag=direct',
    );

    // All that wait, and what for.
    let stat = "";
    const statistics = async () => {
      stat = (await pbkfs(["stat", "-D", scene.upper, "--format", "json"], true)).stdout;
      return JSON.parse(stat).waiting;
    };
    await waitUntil(
      async () => {
        const { operations } = await statistics();
        return operations.read >= 30 && operations.write === 2;
      },
      TIMEOUT_MS,
      () => stat,
    );
    const waiting = await statistics();
    assert.equal(waiting.requests, waiting.operations.read + waiting.operations.write);
    assert.equal(waiting.threads, 2);
    assert.ok(waiting.files.length > 0);
    for (const file of waiting.files) assert.ok(file.startsWith(`${scene.lower}/`), file);

    server.signalGroup("SIGCONT");
    const wanted = await checksums(source, relations.slice(1, 31));
    for (const [index, reader] of readers.entries()) {
      const { stdout, stderr } = await reader.wait(TIMEOUT_MS);
      assert.equal(stdout, `${wanted[index]}\n`, stderr);
    }
    for (const each of [writer, copier]) assert.equal((await each.wait(TIMEOUT_MS)).code, 0);
    const expected = (name: string) => {
      const content = Deno.readFileSync(`${source}/${name}`);
      content.set(new TextEncoder().encode("changed"), 3 * 8192);
      return content;
    };
    const partly = expected("relation-0");
    partly.set(new TextEncoder().encode("x"), 12_345);
    const wholly = expected("relation-38").fill(0, 5 * 8192, 8 * 8192);
    for (const [name, content] of [["relation-0", partly], ["relation-38", wholly]] as const) {
      const shown = scene.home.join(`shown-${name}`);
      await runCommand(["cp", `${scene.upper}/${name}`, shown], { timeoutMs: TIMEOUT_MS });
      assert.deepEqual(Deno.readFileSync(shown), content, name);
    }
    const { stdout } = await runCommand(["tail", "-c", "5", `${scene.upper}/plain`], {
      timeoutMs: TIMEOUT_MS,
    });
    assert.equal(stdout, "more\n");
  },
});

Deno.test({
  name: "names of a writable archive that hangs wait without the lock that changes of names take",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using scene = new Scene();
    const source = scene.home.join("source");
    const directories = Array.from({ length: 8 }, (_, index) => `directory-${index}`);
    for (const each of directories) {
      fill(`${source}/${each}`, ["a", "b", "c"], FILE_SIZE);
      Deno.mkdirSync(`${source}/${each}/empty`);
    }
    const outer = scene.home.join("outer");
    Deno.mkdirSync(outer);
    await pbkfs(["pxar", "create", `${outer}/inner.pxar`, source], true);
    const server = await scene.serveLower(outer);
    await scene.serve(scene.upper, [
      ...["pxar", "mount", `${scene.lower}/inner.pxar`, scene.upper, "--workers", "2"],
      ...["--diff-dir", scene.home.join("diff")],
      ...["--log-sink", "file", "--log-file", scene.home.join("log")],
    ]);
    // The root is known, and nothing in its directories.
    await scene.prompt('mkdir "$1/new" && echo 1 > "$1/new/a" && stat "$1"/directory-*');
    await scene.dropPages(scene.lower);

    server.signalGroup("SIGSTOP");
    const run = (script: string) => {
      return new RunningCommand(["sh", "-c", script], { cwd: scene.upper });
    };
    const [lookup, negative, listing, making, removing, renaming, entering, linking] = [
      run("stat -c %s directory-0/b"),
      run("test ! -e directory-1/missing"),
      run("ls directory-2"),
      run("echo new > directory-3/d"),
      run("rm directory-4/a"),
      run("mv directory-5/b directory-5/moved"),
      run("rmdir directory-6/empty"),
      run("ln directory-7/a directory-7/second"),
    ];
    const waiting = [lookup, negative, listing, making, removing, renaming, entering, linking];
    await waitUntilAsleep(waiting.map((each) => each!));
    // All that only the diff has, or the kernel.
    await scene.prompt('cd "$1/new" && echo 2 > b && mv b c && mkdir d && rmdir d && rm a && ls');
    await scene.prompt('cat "$1/new/c" && ln "$1/new/c" "$1/new/e" && stat "$1/new/e"');

    server.signalGroup("SIGCONT");
    for (const each of waiting) {
      const { code, stderr } = await each!.wait(TIMEOUT_MS);
      assert.equal(code, 0, stderr);
    }
    assert.equal(lookup!.stdout, `${FILE_SIZE}\n`);
    assert.equal(listing!.stdout, "a\nb\nc\nempty\n");
    const { stdout } = await scene.prompt('cd "$1" && ls directory-3 directory-4 directory-5 new');
    assert.equal(
      stdout,
      "directory-3:\na\nb\nc\nd\nempty\n\ndirectory-4:\nb\nc\nempty\n\n" +
        "directory-5:\na\nc\nempty\nmoved\n\nnew:\nc\ne\n",
    );
    await scene.prompt(
      'cd "$1" && ! test -e directory-6/empty && cmp directory-7/a directory-7/second',
    );
    const moved = await checksums(`${scene.upper}/directory-5`, ["moved"]);
    const [wanted] = await checksums(`${source}/directory-5`, ["b"]);
    assert.equal(moved[0], wanted!.replace(/b$/, "moved"));
  },
});

/**
 * Waits for their end. @returns how many failed; the kernel may have had all that another one
 * wanted
 */
async function haveFailed(readers: readonly RunningCommand[], reason = /./): Promise<number> {
  const results = await Promise.all(readers.map((reader) => reader.wait(TIMEOUT_MS)));
  const failed = results.filter(({ code }) => code !== 0);
  for (const { stderr } of failed) assert.match(stderr, reason);
  return failed.length;
}

/**
 * An archive in an archive, the outer one's server stopped, with processes that read the inner one.
 */
async function stoppedScene(scene: Scene, options: readonly string[]): Promise<{
  readonly server: RunningCommand;
  readonly upper: RunningCommand;
  readonly readers: readonly RunningCommand[];
}> {
  const few = names.slice(0, 10);
  const source = scene.home.join("source");
  fill(source, few, FILE_SIZE);
  const outer = scene.home.join("outer");
  Deno.mkdirSync(outer);
  await pbkfs(["pxar", "create", `${outer}/inner.pxar`, source], true);
  const server = await scene.serveLower(outer);
  const inner = `${scene.lower}/inner.pxar`;
  const upper = await scene.serve(scene.upper, [
    ...["pxar", "mount", inner, scene.upper, "--workers", "2", ...options],
  ]);
  await scene.prompt('ls -l "$1"');
  await scene.dropPages(scene.lower);
  server.signalGroup("SIGSTOP");
  const readers = scene.read(few);
  await waitUntilAsleep(readers);
  return { server, upper, readers };
}

Deno.test({
  name: "a mount whose requests wait is not unmounted but by force, and then at once",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using scene = new Scene();
    const { readers } = await stoppedScene(scene, []);
    const refused = await pbkfs(["unmount", scene.upper]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /busy/);
    assert.equal((await pbkfs(["unmount", "--force", scene.upper])).code, 0);
    assert.equal(isMounted(scene.upper), false);
    assert.ok(await haveFailed(readers) > 0);
  },
});

Deno.test({
  name: "--io-timeout: what waits longer fails with EIO, and the log says so",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using scene = new Scene();
    const { server, upper, readers } = await stoppedScene(scene, ["--io-timeout", "1"]);
    assert.ok(await haveFailed(readers, /Input\/output error/) > 0);
    assert.match(upper.stderr, /source did not answer in time: EIO request=read count=\d+/);
    server.signalGroup("SIGCONT");
    const { stdout } = await runCommand(["cksum", ...names.slice(0, 10)], {
      timeoutMs: TIMEOUT_MS,
      cwd: scene.upper,
    });
    const wanted = await checksums(scene.home.join("source"), names.slice(0, 10));
    assert.deepEqual(stdout.trimEnd().split("\n"), wanted);
  },
});

/** A mounted snapshot, its datastore on a mount whose server can be stopped. */
async function snapshotScene(scene: Scene, store: PbsStore, options: readonly string[]) {
  const few = names.slice(0, FEW);
  const source = scene.home.join("source");
  fill(source, few, FILE_SIZE);
  const chunking = ["--chunk-size", "64"];
  await store.backup([`root.pxar:${source}`, "--backup-id", "x", ...chunking]);
  const server = await scene.serveLower(store.path);
  const repository = ["--repository", `dir:${scene.lower}`];
  const upper = await scene.serve(scene.upper, [
    ...["pbs", "mount", ...repository, "host/x", "root.pxar", scene.upper],
    ...["--workers", "2", "--io-timeout", "1", ...options],
  ]);
  await scene.prompt('ls -l "$1"');
  return { few, source, server, upper };
}

Deno.test({
  name: "--io-timeout: a mounted snapshot whose datastore hangs fails reads, answers, and goes on",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using store = await PbsStore.create();
    await using scene = new Scene();
    const { few, source, server, upper } = await snapshotScene(scene, store, []);
    await scene.dropPages(scene.lower);

    server.signalGroup("SIGSTOP");
    const readers = scene.read(few);
    // Chunks are shared: all of those that wait are ended, whoever loads the chunk for them.
    const failed = await haveFailed(readers, /Input\/output error/);
    assert.ok(failed > FEW / 2, `${failed} of ${FEW} failed`);
    // The kernel has the attributes.
    await scene.prompt(`stat -f "$1" && cd "$1" && stat ${few.join(" ")}`);
    assert.match(upper.stderr, /source did not answer in time: EIO request=read count=\d+/);
    assert.equal(isMounted(scene.upper), true);

    server.signalGroup("SIGCONT");
    assert.deepEqual(await checksums(scene.upper, few), await checksums(source, few));
    assert.equal((await pbkfs(["unmount", scene.upper])).code, 0);
  },
});

Deno.test({
  name:
    "--io-timeout: a writable snapshot whose datastore hangs fails writes that need it, no others",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using store = await PbsStore.create();
    await using scene = new Scene();
    const log = ["--log-sink", "file", "--log-file", scene.home.join("log")];
    const { few, source, server } = await snapshotScene(scene, store, [
      ...["--diff-dir", scene.home.join("diff"), ...log],
    ]);
    const [changed, refused] = few;
    const write = (name: string, at: number) =>
      `printf changed | dd of="$1/${name}" bs=1 seek=${at} conv=notrunc`;
    await scene.prompt(`mkdir "$1/new" && ${write(changed!, 100_000)}`);
    await scene.dropPages(scene.lower);

    server.signalGroup("SIGSTOP");
    const writer = runCommand(["sh", "-c", write(refused!, 200_000), "sh", scene.upper], {
      timeoutMs: TIMEOUT_MS,
      check: false,
    });
    assert.match((await writer).stderr, /Input\/output error/);
    // The thread that waits for the old bytes around the change holds no lock that closing the
    // file, or a change of names in the diff alone, would have to wait for.
    await scene.prompt('cd "$1/new" && echo 1 >a && mv a b && sync b && cat b');

    server.signalGroup("SIGCONT");
    const content = Deno.readFileSync(`${source}/${changed}`);
    content.set(new TextEncoder().encode("changed"), 100_000);
    Deno.writeFileSync(`${source}/${changed}`, content);
    assert.deepEqual(await checksums(scene.upper, few), await checksums(source, few));
    await scene.prompt(write(refused!, 200_000));
    const { stdout } = await scene.prompt(
      `cat "$1/new/b"; tail -c +200001 "$1/${refused}" | head -c 7`,
    );
    assert.equal(stdout, "1\nchanged");
    assert.equal((await pbkfs(["unmount", scene.upper])).code, 0);
  },
});
