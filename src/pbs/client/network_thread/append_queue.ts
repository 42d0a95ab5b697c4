/**
 * The chunks of an index on their way to a server: in order, in lists of some length, and none
 * before it has arrived.
 *
 * @module
 */

/** A list is sent when it has so many; the rest when the stream ends. */
const LIST_COUNT_MIN = 64;
/** With a comma, quotes and an offset: 64 KiB of JSON are what a server takes. */
const LIST_COUNT_MAX = 512;
/** Lists that wait before their writer does. */
const WAITING_COUNT_MAX = 32;

/** Entries that are sent at once. */
export interface AppendList {
  readonly digests: readonly string[];
  readonly offsets: readonly number[];
}

/** What the queue is for. */
export interface AppendTarget {
  /** When a chunk on its way has arrived; undefined where none is. Rejects when it fails. */
  readonly uploaded: (digest: string) => Promise<void> | undefined;
  readonly send: (list: AppendList) => Promise<unknown>;
}

/** The queue of one index. */
export class AppendQueue {
  readonly #target: AppendTarget;
  #digests: string[] = [];
  #offsets: number[] = [];
  /** What was taken so far; fails with what has failed first. */
  #sent: Promise<void> = Promise.resolve();
  #waitingCount = 0;

  constructor(target: AppendTarget) {
    this.#target = target;
  }

  /** Takes entries, in the order of the stream, and waits when too many wait. */
  async add(entries: Iterable<readonly [digest: string, offset: number]>): Promise<void> {
    for (const [digest, offset] of entries) {
      this.#digests.push(digest);
      this.#offsets.push(offset);
      if (this.#digests.length >= LIST_COUNT_MAX) this.#flush();
    }
    if (this.#digests.length >= LIST_COUNT_MIN) this.#flush();
    if (this.#waitingCount > WAITING_COUNT_MAX) await this.#sent;
  }

  /** Sends the rest. @throws what has failed */
  async finish(): Promise<void> {
    if (this.#digests.length > 0) this.#flush();
    await this.#sent;
  }

  #flush(): void {
    const list: AppendList = { digests: this.#digests, offsets: this.#offsets };
    this.#digests = [];
    this.#offsets = [];
    // From now on: an upload that has arrived is not known any more.
    const uploads = list.digests.map((digest) => this.#target.uploaded(digest));
    const arrived = Promise.all(uploads);
    const before = this.#sent;
    this.#waitingCount++;
    this.#sent = (async () => {
      await before;
      await arrived;
      await this.#target.send(list);
      this.#waitingCount--;
    })();
    arrived.catch(() => {});
    this.#sent.catch(() => {});
  }
}
