/**
 * The README's command lines, run as they stand there, one after the other.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { serverBinaries } from "#tests/support/postgres_binaries.ts";
import { runCommand } from "#tests/support/process.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** All command lines below the heading `title`, up to the next one of any level. */
function linesOf(title: string): string {
  const readme = Deno.readTextFileSync(join(CHECKOUT, "README.md"));
  const [, section] = new RegExp(`^## ${title}\n([^]*?)^#{1,3} [A-Z]`, "m").exec(
    readme.replaceAll(/^(```sh\n)([^]*?)^```$/gm, (block) => block.replaceAll(/^# /gm, "## ")),
  ) ?? [];
  assert.ok(section !== undefined, `README has no section "${title}"`);
  return [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block).join("");
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * A place that stands for the machine: `/srv` and other directories that the README names are in
 * it.
 */
class Machine implements AsyncDisposable {
  readonly directory: MemoryDisk;

  private constructor(directory: MemoryDisk) {
    this.directory = directory;
  }

  static async create(): Promise<Machine> {
    const machine = new Machine(await MemoryDisk.create());
    machine.#furnish();
    return machine;
  }

  #furnish(): void {
    for (const name of ["srv", "mnt", "var/tmp", "home/alice", "etc/apt", "bin", "work"]) {
      Deno.mkdirSync(this.directory.join(name), { recursive: true });
    }
    Deno.mkdirSync(this.directory.join("tmp"));
    Deno.chmodSync(this.directory.join("tmp"), 0o1777);
    Deno.writeTextFileSync(this.directory.join("home/alice/notes.txt"), "notes");
    Deno.writeTextFileSync(this.directory.join("etc/hostname"), "elsa\n");
    Deno.writeTextFileSync(this.directory.join("etc/apt/sources.list"), "");
    const program = this.directory.join("bin/pbkfs");
    Deno.writeTextFileSync(
      program,
      `#!/bin/sh\nexec ${pbkfsCommand([]).map(quote).join(" ")} "$@"\n`,
    );
    Deno.chmodSync(program, 0o755);
  }

  /** Runs lines until one fails; `atEnd` runs in any case. @returns what they printed */
  async run(lines: string, atEnd = ""): Promise<string> {
    const here = lines
      .replaceAll(
        /(?<=[\s:'=]|^)\/(?=(?:srv|mnt|var\/tmp|tmp|home|etc)(?:[/\s"]|$))/gm,
        (slash) => this.directory.path + slash,
      )
      .replaceAll("dir:/srv", `dir:${this.directory.path}/srv`)
      .replaceAll("BACKUP_PATH=/srv", `BACKUP_PATH=${this.directory.path}/srv`)
      .replaceAll(/(?<=\s)(?=tests\/fixtures\/|scripts\/)/g, CHECKOUT);
    const script = `set -eE -o pipefail
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
trap '${atEnd}' EXIT
${here}`;
    const { code, stdout, stderr } = await runCommand(["bash", "-c", script], {
      cwd: this.directory.join("work"),
      env: {
        PATH: `${this.directory.join("bin")}:${Deno.env.get("PATH")}`,
        HOME: this.directory.join("work"),
      },
      timeoutMs: 240_000,
      check: false,
    });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "the five minutes of the README: a catalog is shown, mounted, served, and let go",
  ignore: Deno.uid() !== 0, // mounts for another user
  async fn() {
    await using machine = await Machine.create();
    // So that the README's own line finds it, whoever comes first.
    const binaries = await serverBinaries(15);
    const mnt = machine.directory.join("mnt/pg");
    const stop = `runuser -u postgres -- ${binaries}/pg_ctl -D ${mnt} -m immediate stop`;
    const stdout = await machine.run(
      linesOf("Five minutes"),
      `if mountpoint -q ${mnt}; then ${stop} || true; pbkfs unmount -D ${mnt} --force || true; fi`,
    );
    assert.match(stdout, /TOTXQL/);
    assert.match(stdout, /List of databases/);
    assert.match(stdout, /^pbkfs:main\/TOTXQL: mounted for/m);
    assert.deepEqual([...Deno.readDirSync(machine.directory.join("var/tmp/diff"))], []);
  },
});

Deno.test("the archives of the README", async () => {
  await using machine = await Machine.create();
  const mnt = machine.directory.join("mnt/home");
  const stdout = await machine.run(
    linesOf("pxar archives"),
    `! mountpoint -q ${mnt} || pbkfs unmount ${mnt} --force`,
  );
  assert.match(stdout, /sources\.list/);
  assert.match(stdout, /^elsa$/m);
  assert.match(stdout, /^alice$/m);
  assert.deepEqual(
    [...Deno.readDirSync(machine.directory.join("work"))].map(({ name }) => name).sort()
      .filter((name) => name.endsWith(".pxar")),
    ["apt.pxar", "both.pxar", "etc.pxar", "home.pxar"],
  );
});

Deno.test("the datastore of the README", async () => {
  await using machine = await Machine.create();
  const mnt = machine.directory.join("mnt/etc");
  // A key asks for its password at a terminal.
  const lines = linesOf("Backups in Proxmox datastores").replace(/^pbkfs pbs key create.*$/m, "");
  const stdout = await machine.run(lines, `! mountpoint -q ${mnt} || pbkfs unmount ${mnt} --force`);
  assert.match(stdout, /host\/db1\/20/);
  assert.match(stdout, /^hostname$/m);
  assert.match(stdout, /1 snapshots are good, 0 failed/);
  const restored = machine.directory.join("tmp/home/alice/notes.txt");
  assert.equal(Deno.readTextFileSync(restored), "notes");
});
