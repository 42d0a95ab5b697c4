/**
 * Every module and every exported symbol has a doc comment. `deno doc --lint` asks the same of the
 * members of what the library exports; elsewhere a good name often says all there is to say.
 *
 *     deno run --allow-run=deno,git scripts/doc_check.ts
 *
 * @module
 */

interface Documented {
  jsDoc?: { doc?: string };
}

/** The part of `deno doc --json` that is looked at. */
export interface DocumentedModules {
  readonly nodes: Readonly<Record<string, DocumentedModule>>;
}

interface DocumentedModule {
  readonly module_doc?: { doc?: string };
  readonly symbols?: readonly {
    readonly name: string;
    readonly declarations: readonly (Documented & {
      readonly declarationKind: string;
      readonly kind: string;
      readonly location: { readonly filename: string; readonly line: number };
    })[];
  }[];
}

/** What has no doc comment. A re-exported symbol is judged where it is declared. */
export function undocumented({ nodes }: DocumentedModules): string[] {
  const faults: string[] = [];
  for (const [module, { module_doc, symbols = [] }] of Object.entries(nodes)) {
    if (!module_doc?.doc) faults.push(`${module}: the module has no doc comment`);
    for (const { name, declarations } of symbols) {
      const exported = declarations.filter((declaration) =>
        declaration.declarationKind === "export" && declaration.kind !== "reference" &&
        declaration.location.filename === module
      );
      if (exported.length === 0 || exported.some(({ jsDoc }) => jsDoc?.doc)) continue;
      faults.push(`${module}:${exported[0]!.location.line + 1}: "${name}" has no doc comment`);
    }
  }
  return faults;
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, {
    args: [...args],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${command} ${args[0]} failed`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const listed = await run("git", ["-c", "safe.directory=*", "ls-files", "main.ts", "src", "ffi"]);
  const modules = listed.split("\n").filter((path) => path.endsWith(".ts"));
  const faults = undocumented(JSON.parse(await run("deno", ["doc", "--json", ...modules])));
  for (const fault of faults) console.error(fault);
  console.log(`documentation: ${modules.length} modules, ${faults.length} faults`);
  Deno.exit(faults.length === 0 ? 0 : 1);
}
