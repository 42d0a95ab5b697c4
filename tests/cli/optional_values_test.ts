import assert from "node:assert/strict";
import { Command } from "commander";
import { withoutForeignValues } from "#src/cli/optional_values.ts";

Deno.test("an option takes no word for its value that is not written behind an equals sign", () => {
  const parse = (...words: string[]) => {
    const command = new Command("mount").argument("[words...]")
      .option("--hydrate [rate]").option("--owner <user[:group]>").option("--wait");
    command.parse(withoutForeignValues(words, command), { from: "user" });
    return { ...command.opts(), args: command.args };
  };
  assert.deepEqual(parse("--hydrate", "/a", "/b"), { hydrate: true, args: ["/a", "/b"] });
  assert.deepEqual(parse("--hydrate=5", "/a"), { hydrate: "5", args: ["/a"] });
  assert.deepEqual(parse("--hydrate", "--owner", "x", "/a", "--", "--hydrate", "y"), {
    ...{ hydrate: true, owner: "x" },
    args: ["/a", "--hydrate", "y"],
  });
});
