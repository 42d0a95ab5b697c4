/**
 * Answers to credentials that were wrong come late, so that guessing takes long. Others are served
 * meanwhile. How many may wait is bounded, in all and of one source: beyond that, what is offered
 * is not even looked at.
 *
 * @module
 */

import { Refusal } from "../refusal.ts";

const DELAY_MS = 3000;
const WAITING_MAX = 512;
const WAITING_OF_SOURCE_MAX = 32;

/** See the head of the module. */
export class LoginDelay {
  readonly #delayMs: number;
  readonly #waiting = new Map<string, number>();
  #count = 0;

  /** @param delayMs from the start of an attempt to its answer */
  constructor(delayMs: number = DELAY_MS) {
    this.#delayMs = delayMs;
  }

  /** Attempts that are being made or wait for their answer. */
  get waitingCount(): number {
    return this.#count;
  }

  /**
   * Makes an attempt; what it throws is thrown when the delay is over.
   *
   * @param peer `host:port`
   * @throws {Refusal} 429 when too many wait
   */
  async attempt<Result>(peer: string, check: () => Promise<Result>): Promise<Result> {
    const source = sourceOf(peer);
    const ofSource = this.#waiting.get(source) ?? 0;
    if (this.#count >= WAITING_MAX || ofSource >= WAITING_OF_SOURCE_MAX) {
      throw new Refusal(429, "too many failed logins, try again later");
    }
    this.#count++;
    this.#waiting.set(source, ofSource + 1);
    const start = performance.now();
    try {
      return await check();
    } catch (error) {
      await this.#wait(this.#delayMs - (performance.now() - start));
      throw error;
    } finally {
      this.#count--;
      const left = this.#waiting.get(source)! - 1;
      if (left === 0) this.#waiting.delete(source);
      else this.#waiting.set(source, left);
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
  }
}

/**
 * What counts as one asker: an IPv4 address, or the 64 bits that networks have of IPv6: whoever has
 * one address of these has all.
 */
function sourceOf(peer: string): string {
  const host = peer.slice(0, peer.lastIndexOf(":")).replace(
    /^\[(?:::ffff:(?=[\d.]+\]$))?|\]$/gu,
    "",
  );
  if (!host.includes(":")) return host;
  const [head, tail] = host.replace(/%.*$/u, "").split("::").map((part) =>
    part === "" ? [] : part.split(":")
  ) as [string[], string[]?];
  const zeros = Math.max(8 - head.length - (tail?.length ?? 0), 0);
  return [...head, ...Array<string>(zeros).fill("0"), ...tail ?? []].slice(0, 4).join(":");
}
