/**
 * The table of a comparison: medians of each side, and how the mount stands to the plain directory.
 *
 * @module
 */

import Table from "cli-table3";
import { median } from "../host.ts";
import { hostDescription, meetsTarget } from "../report.ts";
import type { SideName } from "./sides.ts";
import type { Figures, Quantity } from "./steps.ts";

/**
 * How a quantity is shown and judged: its ratio to the plain side where there is one, else its
 * value.
 */
const QUANTITIES: Readonly<Record<Quantity, { name: string; unit: string; target?: string }>> = {
  mountSeconds: { name: "mount --wait, cold", unit: "s", target: "<= 0.35" },
  secondCountMs: { name: "second count(*), 64 MB of buffers", unit: "ms", target: "<= 1.3" },
  firstCountMs: { name: "first count(*), cold", unit: "ms", target: "<= 1.25" },
  firstCountProcessorSeconds: { name: "first count(*), processor of the mount", unit: "s" },
  catSeconds: { name: "cat of a relation, cold", unit: "s", target: "<= 2" },
  catProcessorSeconds: { name: "cat, processor of the mount", unit: "s" },
  randomReadsPerSecond: { name: "random 8 KiB, cold, 1 reader", unit: "/s", target: ">= 0.95" },
  readWriteTps: { name: "pgbench read-write, 4 clients", unit: "tps", target: ">= 1" },
  idleMebibytes: { name: "memory of an idle mount", unit: "MiB", target: "<= 60" },
};

function formatNumber(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

/** Collects the figures of all rounds. */
export class Comparison {
  readonly #values = new Map<string, number[]>();

  add(side: SideName, figures: Figures): void {
    for (const [quantity, value] of Object.entries(figures)) {
      console.error(`${side}: ${quantity} ${formatNumber(value)}`);
      const key = `${side} ${quantity}`;
      this.#values.set(key, [...this.#values.get(key) ?? [], value]);
    }
  }

  #median(side: SideName, quantity: Quantity): number | undefined {
    const values = this.#values.get(`${side} ${quantity}`);
    return values === undefined ? undefined : median(values);
  }

  #rows() {
    return (Object.keys(QUANTITIES) as Quantity[]).flatMap((quantity) => {
      const now = this.#median("now", quantity);
      if (now === undefined) return [];
      const plain = this.#median("plain", quantity);
      const before = this.#median("before", quantity);
      const { name, unit, target } = QUANTITIES[quantity];
      const met = meetsTarget({
        name,
        unit,
        mount: now,
        target,
        plain,
      });
      return [{ name, unit, target, plain, before, now, met }];
    });
  }

  table(): string {
    const table = new Table({
      head: ["", "unit", "plain", "before", "now", "before/plain", "now/plain", "target", ""],
      style: { head: [], border: [] },
    });
    for (const { name, unit, target, plain, before, now, met } of this.#rows()) {
      const ratio = (value: number | undefined) =>
        formatNumber(value === undefined || plain === undefined ? undefined : value / plain);
      const values = [plain, before, now].map(formatNumber);
      const verdict = met === undefined ? "" : met ? "ok" : "MISSED";
      table.push([name, unit, ...values, ratio(before), ratio(now), target ?? "", verdict]);
    }
    return table.toString();
  }

  json(): string {
    const figures = this.#rows();
    const rounds = Object.fromEntries(this.#values);
    return JSON.stringify({ host: hostDescription(), figures, rounds }, null, 2);
  }
}
