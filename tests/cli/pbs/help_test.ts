import assert from "node:assert/strict";
import type { CommandGroup, CommandModule } from "#src/cli/command.ts";
import { pbsGroup } from "#src/cli/commands/pbs/commands.ts";
import { mustPbs, pbs, READ_ONLY } from "./_pbs.ts";
import { runProgram } from "../_program.ts";

interface NamedCommand {
  readonly words: string;
  readonly module: CommandModule<never>;
}

function* commandsOf(group: CommandGroup, prefix = ""): Generator<NamedCommand> {
  const words = `${prefix}${group.name} `;
  for (const module of group.commands) yield { words: words + module.describe().name(), module };
  for (const inner of group.groups ?? []) yield* commandsOf(inner, words);
}

function helpOf(command: ReturnType<CommandModule<never>["describe"]>): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

for (const { words, module } of commandsOf(pbsGroup)) {
  Deno.test(`pbkfs ${words} --help shows examples of itself and exit status`, () => {
    const help = helpOf(module.describe());
    assert.match(help, /EXAMPLES:\n {2}\S/);
    assert.ok(help.includes(`  pbkfs ${words}`), "an example calls it by its name");
    assert.match(help, /EXIT STATUS:\n {2}0 /);
  });
}

for (const words of ["", "snapshot", "snapshot notes", "key"]) {
  Deno.test(`pbkfs pbs ${words} alone prints its help`, async () => {
    const args = words.split(" ").filter((word) => word !== "");
    const help = await mustPbs(args, { permissions: ["--allow-read"] });
    assert.match(help, /^Usage: pbkfs pbs .*\[command\]/);
    assert.match(help, /EXAMPLES:/);
  });
}

const USAGE_ERRORS: readonly [string, RegExp][] = [
  ["nope", /unknown command 'nope'/],
  ["key nope", /unknown command 'nope'[^]*Usage: pbkfs pbs key /],
  ["list --nope", /unknown option '--nope'/],
  ["list", /unable to get \(default\) repository/],
  ["list --repository a|b", /unable to parse repository url 'a\|b'/],
  ["list --repository /s --ns a//b", /Cannot use "a\/\/b" as a namespace/],
  ["files --repository /s host/x/bad", /snapshot path/],
  ["forget --repository /s host/x", /it is a group[^]*group forget host\/x/],
  ["prune --repository /s host/x --keep-last -1", /--keep-last/],
  ["prune --repository /s x --keep-last 1", /group "x"/],
  ["list --format xml", /argument 'xml' is invalid/],
  ["list --format json --output-format json", /cannot be used with/],
];

for (const [line, message] of USAGE_ERRORS) {
  Deno.test(`pbkfs pbs ${line} is wrong usage`, async () => {
    const { code, stdout, stderr } = await pbs(line.split(" "), { permissions: READ_ONLY });
    assert.match(stderr, message);
    assert.equal(code, 2);
    assert.equal(stdout, "");
  });
}

for (const form of ["--format json", "--format=jsonl", "--output-format json-pretty"]) {
  Deno.test(`pbkfs pbs with ${form} reports errors as one line of JSON`, async () => {
    const { stderr } = await pbs(["list", ...form.split(" ")], { permissions: READ_ONLY });
    assert.equal(JSON.parse(stderr).code, "usage");
    assert.equal(stderr.split("\n").length, 2);
  });
}

Deno.test("pbkfs completion completes commands in groups inside of groups", async () => {
  const { stdout: script } = await runProgram(["completion", "bash"], {
    permissions: ["--allow-read"],
  });
  const complete = async (start: string, ...words: string[]) => {
    const setUp = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})\n` +
      `COMP_CWORD=${words.length - 1}\n${start}\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`;
    const { stdout } = await new Deno.Command("bash", {
      args: ["--norc", "-c", `${script}\n${setUp}`],
    }).output();
    return new TextDecoder().decode(stdout).trim().split("\n");
  };
  assert.deepEqual(await complete("_pbkfs", "pbkfs", "pbs", "snaps"), ["snapshots", "snapshot"]);
  assert.deepEqual(await complete("_pbkfs", "pbkfs", "pbs", "key", "show-"), [
    "show-master-pubkey",
  ]);
  assert.deepEqual(await complete("_pbkfs", "pbkfs", "pbs", "snapshot", "notes", "up"), ["update"]);
  assert.deepEqual(
    await complete("_pbkfs", "pbkfs", "pbs", "snapshot", "protected", "update", "--rep"),
    ["--repository"],
  );
  assert.deepEqual(await complete("_pbkfs_called_pbs", "pbs", "key", "pap"), ["paperkey"]);
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test(`pbkfs completion ${shell} names every command of pbs`, async () => {
    const { stdout } = await runProgram(["completion", shell], { permissions: ["--allow-read"] });
    for (const { words } of commandsOf(pbsGroup)) {
      assert.ok(stdout.includes(words.split(" ").at(-1)!), words);
    }
  });
}
