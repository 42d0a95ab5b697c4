/**
 * A client of a mount under test as a process of its own: `property_child.ts ROOT CLIENT SEED
 * [direct]`. Each line of its input is an order; it answers each with one line.
 *
 * @module
 */

import { PropertyClient } from "#tests/support/property_client.ts";

/** What the process can be told to do. */
export type PropertyOrder =
  | { readonly kind: "work"; readonly count: number; readonly isDoomed: boolean }
  | { readonly kind: "verify" | "settle" | "close" };

function describe(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors.map(describe).join("\n") : "";
  return `${error instanceof Error ? error.stack : error}\n${inner}`;
}

function obey(client: PropertyClient, order: PropertyOrder): number {
  switch (order.kind) {
    case "work":
      return client.work(order.count, order.isDoomed);
    case "verify":
      client.verify();
      break;
    case "settle":
      client.settle();
      break;
    case "close":
      client.closeFiles();
  }
  return 0;
}

async function main([root, number, seed, direct]: readonly string[]): Promise<void> {
  const client = new PropertyClient(root!, Number(number), Number(seed), direct === "direct");
  let rest = "";
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      try {
        console.log(`done ${obey(client, JSON.parse(line))}`);
      } catch (error) {
        console.error(`client ${number} failed: ${describe(error)}\n${client.log.join("\n")}`);
        Deno.exit(1);
      }
    }
  }
}

if (import.meta.main) await main(Deno.args);
