/// <reference lib="deno.unstable" />
/**
 * A lint plugin that keeps the command line out of the library's errors: a hint of `src/` or `ffi/`
 * that names a flag or a command helps nobody who calls a function. Which flag an option is,
 * `src/cli/remedy.ts` knows.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url).pathname;

/** A flag of this program (those of the runtime are the caller's too), or one of its commands. */
const COMMAND_LINE_WORDS = /(?<![\w-])(?:--(?!allow-)[a-z]|-[BDIdi]\b|pbkfs [a-z])/u;

function isLibrary(filename: string): boolean {
  const path = filename.startsWith(ROOT) ? filename.slice(ROOT.length) : filename;
  return /^(?:src|ffi)\//u.test(path) && !path.startsWith("src/cli/");
}

const plugin: Deno.lint.Plugin = {
  name: "library-hints",
  rules: {
    "no-flags": {
      create(context) {
        if (!isLibrary(context.filename)) return {};
        let depth = 0;
        const check = (node: Deno.lint.Node, text: unknown) => {
          if (depth === 0 || typeof text !== "string" || !COMMAND_LINE_WORDS.test(text)) return;
          context.report({
            node,
            message: "a hint of the library names no flags and no commands",
            hint: "Say what can be done, and name the function's option as `option`",
          });
        };
        return {
          'Property[key.name="hint"]'() {
            depth++;
          },
          'Property[key.name="hint"]:exit'() {
            depth--;
          },
          Literal(node) {
            check(node, node.value);
          },
          TemplateElement(node) {
            check(node, node.cooked);
          },
        };
      },
    },
  },
};

export default plugin;
