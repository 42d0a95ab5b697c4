/**
 * Collects measured figures and prints them as a table and as JSON.
 *
 * @module
 */

import Table from "cli-table3";

/** One measured quantity. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly mount: number;
  /** The same on the plain directory. */
  readonly plain?: number | undefined;
  /** What the ratio (where there is a plain figure) or the value has to be: `>= 0.8`, `<= 0.3`. */
  readonly target?: string | undefined;
}

/** Ratio to the plain directory, or undefined. */
export function ratio(figure: Figure): number | undefined {
  return figure.plain === undefined ? undefined : figure.mount / figure.plain;
}

/** Whether the target is met; undefined without a target. */
export function meetsTarget(figure: Figure): boolean | undefined {
  if (figure.target === undefined) return undefined;
  const [operator, limit] = figure.target.split(" ");
  const value = ratio(figure) ?? figure.mount;
  return operator === ">=" ? value >= Number(limit) : value <= Number(limit);
}

function formatNumber(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(2);
}

/** All figures of one run. */
export class Report {
  readonly #figures: Figure[] = [];
  readonly #sides: readonly [measured: string, yardstick: string];

  /** @param sides titles of the columns */
  constructor(sides: readonly [measured: string, yardstick: string] = ["mount", "plain"]) {
    this.#sides = sides;
  }

  add(figure: Figure): void {
    this.#figures.push(figure);
    const plain = figure.plain === undefined
      ? ""
      : `, ${this.#sides[1]} ${formatNumber(figure.plain)}`;
    console.error(`${figure.name}: ${formatNumber(figure.mount)}${plain} ${figure.unit}`);
  }

  table(): string {
    const table = new Table({
      head: ["", "unit", ...this.#sides, "ratio", "target", ""],
      style: { head: [], border: [] },
    });
    for (const figure of this.#figures) {
      const met = meetsTarget(figure);
      table.push([
        figure.name,
        figure.unit,
        formatNumber(figure.mount),
        formatNumber(figure.plain),
        formatNumber(ratio(figure)),
        figure.target ?? "",
        met === undefined ? "" : met ? "ok" : "MISSED",
      ]);
    }
    return table.toString();
  }

  json(): string {
    const figures = this.#figures.map((figure) => ({
      ...figure,
      ratio: ratio(figure),
      met: meetsTarget(figure),
    }));
    return JSON.stringify({ host: hostDescription(), figures }, null, 2);
  }
}

/** The machine that was measured. */
export function hostDescription(): Readonly<Record<string, string | number>> {
  return {
    cpus: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    architecture: Deno.build.arch,
  };
}
