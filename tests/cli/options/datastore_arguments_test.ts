import assert from "node:assert/strict";
import { Command } from "commander";
import { normalizeGroupArguments } from "#src/cli/options/datastore_arguments.ts";

function command(name: string, ...inner: Command[]): Command {
  const made = new Command(name).option("--format <format>").option("--off");
  for (const one of inner) made.addCommand(one);
  return made;
}

const COMMANDS = [
  command("list"),
  command("snapshot", command("list"), command("notes", command("show"))),
];

for (
  const [before, after] of [
    ["list -format json", "list --format json"],
    ["list --off true", "list --off"],
    ["snapshot list -format json", "snapshot list --format json"],
    ["snapshot notes show -format json --off=no", "snapshot notes show --format json"],
    ["snapshot notes", "snapshot notes"],
    ["nothing -format", "nothing -format"],
  ] as const
) {
  Deno.test(`normalizeGroupArguments() rewrites "${before}"`, () => {
    assert.equal(normalizeGroupArguments(before.split(" "), COMMANDS).join(" "), after);
  });
}
