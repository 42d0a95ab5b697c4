/** What commands can do, what they say they do, and what the documentation says of both. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { ConditionalUse, Use } from "#src/cli/permissions.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { allCommands, type NamedCommand } from "./_commands.ts";

const CHILD = fileURLToPath(new URL("./_permission_child.ts", import.meta.url));
const DOCUMENT = new URL("../../docs/permissions.md", import.meta.url);
const EVERYTHING = ["read", "write", "ffi", "run", "env", "sys", "net", "import"];

/** When what commands use only sometimes is used. */
interface Occasion {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments, in place of the least that the command needs. */
  readonly args?: readonly string[];
  /** What else is used then, that is not always used either. */
  readonly also?: readonly Use[];
}

/** What commands use that are given no options, unless some take it from them. */
const WITHOUT_OPTIONS: Readonly<Record<string, readonly Use[]>> = { agent: ["ffi"] };

const OCCASIONS: Readonly<Record<string, Occasion>> = {
  "the repository is on a server": { env: { PBS_REPOSITORY: "backup.example:main" } },
  "`PBS_PASSWORD_CMD` is set": { env: { PBS_PASSWORD_CMD: "true" } },
  "`PBS_ENCRYPTION_PASSWORD_CMD` is set": { env: { PBS_ENCRYPTION_PASSWORD_CMD: "true" } },
  "`--owner` is given": { args: ["/nonexistent", "/nonexistent", "--owner", "0"] },
  "`--work-dir` is given": { args: ["--work-dir", "/nonexistent"] },
  "the source is on a server": { args: ["backup.example:main", "dir:/nonexistent"] },
  "the name is that of a server": { args: ["pbs://me@pbs@backup.example/main#host/x/latest/x"] },
  "the second name is that of a server": {
    args: ["/nonexistent", "pbs://me@pbs@backup.example/main#host/x/latest/x"],
  },
  "`--no-xattrs` is not given": { args: ["--stdio"] },
  "`--no-xattrs` or `--identity` is given": { args: ["--no-xattrs"] },
  "`--listen` is given": { args: ["--listen", "127.0.0.1:1"], also: ["ffi"] },
  "`--allow-hooks` is given": { args: ["--allow-hooks"], also: ["ffi"] },
  "a directory is named by `ssh://`": { args: ["ssh://backup.example/x"] },
  "a directory is named by `agent://`": { args: ["agent://backup.example/x"] },
  "the target is on a server": { args: ["dir:/nonexistent", "backup.example:main"] },
};

const commands = allCommands();

function always({ module }: NamedCommand): Use[] {
  return module.uses.filter((use) => typeof use === "string");
}

function sometimes({ module }: NamedCommand): ConditionalUse[] {
  return module.uses.filter((use) => typeof use !== "string");
}

interface Found {
  readonly ways: readonly string[];
  readonly threadCount: number;
  readonly callers: number;
}

/** What something hostile finds in place of a command, and how often it has reached a server. */
async function probe(
  { name }: NamedCommand,
  { env = {}, args: words = [] }: Occasion = {},
): Promise<Found> {
  using directory = new TempDirectory("permissions");
  const file = directory.join("file");
  Deno.writeTextFileSync(file, "");
  let callers = 0;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) {
      callers++;
      connection.close();
    }
  })();
  const permissions = EVERYTHING.map((permission) => `--allow-${permission}`);
  const args = [name, String((listener.addr as Deno.NetAddr).port), file, ...words];
  const { stdout } = await runCommand(denoRunCommand(permissions, CHILD, args), {
    timeoutMs: 60_000,
    env: { PBS_REPOSITORY: "dir:/nonexistent", ...env },
  });
  listener.close();
  await accepting;
  return { ...JSON.parse(stdout), callers };
}

for (const command of commands) {
  Deno.test(`pbkfs ${command.name} can do what it says it does, and nothing else`, async () => {
    const { ways, threadCount, callers } = await probe(command);
    const { [command.name]: bare = [] } = WITHOUT_OPTIONS;
    assert.deepEqual(ways.toSorted(), [...always(command), ...bare].toSorted());
    assert.equal(threadCount, 0);
    // Who serves has the network himself.
    assert.equal(callers > 0, always(command).includes("net"));
  });
}

const occasions = new Set(commands.flatMap(sometimes).map(({ when }) => when));
for (const when of occasions) {
  const uses = (command: NamedCommand) => sometimes(command).filter((use) => use.when === when);
  const [command, ...others] = commands.filter((command) => uses(command).length > 0);
  Deno.test(`pbkfs ${command!.name} can do more where ${when}, like ${others.length} others`, async () => {
    const [{ use }] = uses(command!) as [ConditionalUse];
    const occasion = OCCASIONS[when]!;
    const { ways, threadCount, callers } = await probe(command!, occasion);
    const own = use === "network thread" ? [] : [use];
    const expected = [...always(command!), ...own, ...occasion.also ?? []];
    assert.deepEqual(ways.toSorted(), expected.toSorted());
    assert.equal(threadCount, use === "network thread" ? 1 : 0);
    assert.equal(callers > 0, use === "net");
  });
}

Deno.test("pbs sync has a thread for each of two servers", async () => {
  const command = commands.find(({ name }) => name === "pbs sync")!;
  const { ways, threadCount } = await probe(command, { args: ["one.example:a", "two.example:b"] });
  assert.deepEqual(ways.toSorted(), always(command).toSorted());
  assert.equal(threadCount, 2);
});

/**
 * For the runtime the socket of a server on this host is the network too; a client listens where it
 * is told to.
 */
const WITH_SERVER = ["run", "drill", "agent"];

Deno.test("only a name leads a command to the network that is not about datastores", () => {
  const reaching = commands.flatMap(({ name, module }) =>
    module.uses.filter((use) =>
      ["net", "network thread"].includes(typeof use === "string" ? use : use.use)
    ).map((use) => ({ name, when: typeof use === "string" ? "always" : use.when }))
  );
  const isByName = ({ when }: { when: string }) => /^the (?:second )?name is that of a/.test(when);
  const others = reaching.filter((each) => !each.name.startsWith("pbs ") && !isByName(each));
  assert.deepEqual(others.filter(({ name }) => !WITH_SERVER.includes(name)), []);
  assert.deepEqual(reaching.filter(({ name }) => /^(?:pxar|pbs key) /.test(name)), []);
});

Deno.test("commands whose help names environment variables use the environment", () => {
  for (const command of commands) {
    let help = "";
    command.module.describe().configureOutput({ writeOut: (text) => help += text }).outputHelp();
    if (help.includes("ENVIRONMENT:")) assert.ok(always(command).includes("env"), command.name);
  }
});

Deno.test("docs/permissions.md says of every command what it uses", () => {
  const rows = Deno.readTextFileSync(DOCUMENT).split("\n")
    .map((line) => line.split(/(?<!\\)\|/u).slice(1, -1).map((cell) => cell.trim()))
    .filter((cells) => cells.length === 3 && cells[0]!.startsWith("`"));
  const documented = rows.map(([name, ...uses]) => [name!.replaceAll("`", ""), ...uses]);
  const declared = commands.map((command) => [
    command.name,
    EVERYTHING.filter((use) => always(command).includes(use as Use))
      .map((use) => `\`${use}\``).join(", "),
    sometimes(command).map(({ use, when }) => `${use}: ${when}`).join("; "),
  ]);
  assert.deepEqual(documented.toSorted(byName), declared.toSorted(byName));
});

function byName([a]: (string | undefined)[], [b]: (string | undefined)[]): number {
  return a! < b! ? -1 : 1;
}
