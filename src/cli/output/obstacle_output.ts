/**
 * What a person can do about entries that are not restored because of what stands in their place.
 *
 * @module
 */

import type { InTheWayError, OverwriteLeave } from "#src/pxar/extractor/in_the_way.ts";

/** What gives a leave, and what it does then. */
interface Way {
  readonly option: string;
  /** Of one name. */
  readonly effect: string;
  /** Of several, for the end. */
  readonly summary: string;
}

const REPLACING: Way = {
  option: "--overwrite",
  effect: "replaces it",
  summary: "files and links can be replaced",
};

const WAYS: Readonly<Record<OverwriteLeave, Way>> = {
  files: REPLACING,
  symlinks: REPLACING,
  hardlinks: REPLACING,
  byDirectories: REPLACING,
  specials: {
    option: "--overwrite",
    effect: "keeps it, with the metadata of the archive",
    summary: "files and links can be replaced",
  },
  directories: {
    option: "--allow-existing-dirs",
    effect: "restores into it",
    summary: "directories can be restored into",
  },
};

/**
 * The flag with which the entry can be restored over what is there; undefined when there is none.
 */
export function optionFor({ leave }: InTheWayError): string | undefined {
  return leave === undefined ? undefined : WAYS[leave].option;
}

/** What to do about one name. */
export function remedyFor({ leave, found }: InTheWayError): string {
  if (leave === undefined) return `no option replaces a ${found}: remove or rename it`;
  const { option, effect } = WAYS[leave];
  return `${option} ${effect}`;
}

/** What was in the way, for the end. */
export class ObstacleSummary {
  readonly #ways = new Map<string, string>();
  #hasLasting = false;

  /** Takes note of one. */
  add({ leave }: InTheWayError): void {
    if (leave === undefined) this.#hasLasting = true;
    else this.#ways.set(WAYS[leave].option, WAYS[leave].summary);
  }

  /** What to do about all of them; undefined when nothing was in the way. */
  get hint(): string | undefined {
    const parts = [...this.#ways].map(([option, summary]) => `${summary} (${option})`);
    if (parts.length === 0) {
      return this.#hasLasting ? "Remove or rename what is in the way" : undefined;
    }
    if (this.#hasLasting) parts.push("the rest has to be removed or renamed");
    return `Of what is in the way ${parts.join(", ")}`;
  }

  /** The flag that helps; undefined when none does, or several are needed. */
  get option(): string | undefined {
    const [option, second] = this.#ways.keys();
    return second === undefined ? option : undefined;
  }
}
