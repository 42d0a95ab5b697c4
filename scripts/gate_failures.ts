/**
 * What failed in a run of the gate, for whoever sees only the end of its output: each failing test
 * with its file and the first lines of its error; of a part that ended otherwise, its last lines.
 *
 * @module
 */

/** Something that failed. */
export interface Failure {
  /** File and line, and the name of the test; or the name of the part. */
  readonly title: string;
  /** Its error, or the last lines of its output. */
  readonly lines: readonly string[];
}

/**
 * Lines that all failures together take: what keeps the end of a log often keeps no more than 150.
 */
const LINES_MAX = 120;
const LINES_OF_ONE_MAX = 30;

/** What is kept of a part's output: all errors of a run in which much failed. */
const KEPT_LINES_MAX = 5_000;

// deno-lint-ignore no-control-regex
const ANSI_SEQUENCE = /\x1b\[[\d;]*[A-Za-z]/g;

/** Collects the last lines of a text that comes in pieces, without colours. */
export class LastLines {
  readonly #decoder = new TextDecoder();
  #lines: string[] = [];
  #rest = "";

  add(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    this.#lines.push(...lines.map((line) => line.replaceAll(ANSI_SEQUENCE, "").trimEnd()));
    if (this.#lines.length > 2 * KEPT_LINES_MAX) this.#lines = this.#lines.slice(-KEPT_LINES_MAX);
  }

  /** Lines that have come so far, an unfinished one too. */
  get lines(): readonly string[] {
    const rest = this.#rest.replaceAll(ANSI_SEQUENCE, "").trimEnd();
    return rest === "" ? this.#lines : [...this.#lines, rest];
  }
}

/** Failures that a JUnit report of `deno test` names; steps like tests. */
export function reportedFailures(report: string): Failure[] {
  const failures: Failure[] = [];
  const cases = report.matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs);
  for (const [, attributes, body] of cases) {
    const fault = body?.match(/<(failure|error)\b([^>]*?)(?:\/>|>(.*?)<\/\1>)/s);
    if (!fault) continue;
    const place = `${attribute(attributes!, "classname")}:${attribute(attributes!, "line")}`;
    failures.push({
      title: `${place} ${attribute(attributes!, "name")}`,
      lines: plainLines(fault[3] ?? attribute(fault[2]!, "message")),
    });
  }
  return failures;
}

/**
 * Errors outside of tests, as in a module that cannot be loaded: the report has none of them, only
 * the output.
 */
export function uncaughtErrors(output: readonly string[]): Failure[] {
  const failures: Failure[] = [];
  // The second list of them, at the end of the output, has no lines below the names.
  const heading = output.findIndex((line) => line.trim() === "ERRORS");
  for (let index = heading; index >= 0 && index < output.length; index++) {
    if (output[index]!.trim() === "FAILURES") break;
    if (!output[index]!.endsWith(" (uncaught error)")) continue;
    const lines = output.slice(index + 1);
    const end = lines.indexOf("");
    failures.push({ title: output[index]!, lines: end < 0 ? lines : lines.slice(0, end) });
  }
  return failures;
}

/** What is said of a part that failed without a word on which of its tests did. */
export function lastWords(title: string, output: readonly string[]): Failure {
  return { title, lines: output.slice(-LINES_OF_ONE_MAX) };
}

/** All failures in at most {@link LINES_MAX} lines or so; of each the more, the fewer there are. */
export function formatFailures(failures: readonly Failure[]): string {
  const named = failures.slice(0, LINES_MAX / 2);
  const share = Math.floor(LINES_MAX / Math.max(1, named.length)) - 1;
  const lines = named.flatMap(({ title, lines }) => [
    `FAILED ${title}`,
    ...lines.slice(0, Math.min(share, LINES_OF_ONE_MAX)).map((line) => `    ${line}`.trimEnd()),
  ]);
  const others = failures.length - named.length;
  return [...lines, ...(others > 0 ? [`… and ${others} more`] : [])].join("\n");
}

function attribute(attributes: string, name: string): string {
  return unescapeXml(attributes.match(new RegExp(`(?:^|\\s)${name}="([^"]*)"`))?.[1] ?? "");
}

function plainLines(text: string): string[] {
  return unescapeXml(text).replaceAll(ANSI_SEQUENCE, "").trim().split("\n");
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (entity, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? entity;
    const code = hex === undefined ? Number(decimal) : parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : entity;
  });
}
