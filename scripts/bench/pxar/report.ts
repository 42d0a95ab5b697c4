/**
 * Figures of archives and datastores: the program beside something else, with memory, and what is
 * to be reached.
 *
 * @module
 */

import Table from "cli-table3";
import { hostDescription, meetsTarget } from "../report.ts";

/** One measured quantity. */
export interface PxarFigure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** The same by something else. */
  readonly yardstick?: number | undefined;
  /** Largest resident size of the program. */
  readonly memoryMebibytes?: number;
  /** What the value has to be: `<= 0.3`. */
  readonly target?: string | undefined;
}

function formatNumber(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

function isMet({ name, unit, value, target }: PxarFigure): boolean | undefined {
  return meetsTarget({ name, unit, mount: value, target });
}

/** All figures of one run. */
export class PxarReport {
  readonly #figures: PxarFigure[] = [];
  readonly #yardstickTitle: string;

  constructor(yardstickTitle = "tar, plain") {
    this.#yardstickTitle = yardstickTitle;
  }

  add(figure: PxarFigure): void {
    this.#figures.push(figure);
    console.error(`${figure.name}: ${formatNumber(figure.value)} ${figure.unit}`);
  }

  /** Largest memory of all figures, in MiB. */
  get memoryMax(): number {
    return Math.max(...this.#figures.map((figure) => figure.memoryMebibytes ?? 0));
  }

  table(): string {
    const table = new Table({
      head: ["", "unit", "pbkfs", this.#yardstickTitle, "ratio", "MiB", "target", ""],
      style: { head: [], border: [] },
    });
    for (const figure of this.#figures) {
      const { yardstick } = figure;
      const met = isMet(figure);
      table.push([
        figure.name,
        figure.unit,
        formatNumber(figure.value),
        formatNumber(yardstick),
        formatNumber(yardstick === undefined ? undefined : figure.value / yardstick),
        formatNumber(figure.memoryMebibytes),
        figure.target ?? "",
        met === undefined ? "" : met ? "ok" : "MISSED",
      ]);
    }
    return table.toString();
  }

  json(): string {
    const figures = this.#figures.map((figure) => ({ ...figure, met: isMet(figure) }));
    return JSON.stringify({ host: hostDescription(), figures }, null, 2);
  }
}
