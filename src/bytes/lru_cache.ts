/**
 * A cache that forgets what was not used for longest.
 *
 * @module
 */

interface Slot<Value> {
  readonly value: Value;
  readonly weight: number;
}

/**
 * Values by key with a total weight that stays within a budget. The value stored last is always
 * kept, even when it alone is above the budget. Repeated use of the same key costs no reordering.
 */
export class LruCache<Key, Value> {
  readonly #slots = new Map<Key, Slot<Value>>();
  readonly #weightMax: number;
  readonly #evicted: (value: Value) => void;
  #latestKey: Key | undefined;
  #latestValue: Value | undefined;
  #weight = 0;

  /** `evicted` is called for each value that leaves, also by {@link clear}. */
  constructor(weightMax: number, evicted: (value: Value) => void = () => {}) {
    this.#weightMax = weightMax;
    this.#evicted = evicted;
  }

  /** Number of values. */
  get count(): number {
    return this.#slots.size;
  }

  /** Sum of the weights. */
  get weight(): number {
    return this.#weight;
  }

  /** The value stored under `key`, which becomes the most recently used one. */
  get(key: Key): Value | undefined {
    if (key === this.#latestKey) return this.#latestValue;
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    this.#latestKey = key;
    this.#latestValue = slot.value;
    return slot.value;
  }

  /**
   * Stores a value under a key that is not in use, then lets old values go until the budget holds.
   */
  set(key: Key, value: Value, weight: number): void {
    this.#slots.set(key, { value, weight });
    this.#weight += weight;
    this.#latestKey = key;
    this.#latestValue = value;
    for (const [oldKey, slot] of this.#slots) {
      if (this.#weight <= this.#weightMax || oldKey === key) break;
      this.#slots.delete(oldKey);
      this.#weight -= slot.weight;
      this.#evicted(slot.value);
    }
  }

  /** Lets every value go. */
  clear(): void {
    for (const slot of this.#slots.values()) this.#evicted(slot.value);
    this.#slots.clear();
    this.#latestKey = undefined;
    this.#latestValue = undefined;
    this.#weight = 0;
  }
}
