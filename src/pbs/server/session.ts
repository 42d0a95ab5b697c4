/**
 * What a session is, for whoever has its connection.
 *
 * @module
 */

import type { HttpHandler } from "#src/net/http.ts";
import type { GroupId } from "../format/snapshot_path.ts";
import type { ServedStore } from "./served_store.ts";

/** What a session is about. */
export interface SessionContext {
  readonly store: ServedStore;
  /** Who backs up or restores. */
  readonly authId: string;
  /** With its namespace. */
  readonly group: GroupId;
  /** Of the snapshot, in unix seconds. */
  readonly time: number;
  /** Whether the client said that it measures; then nothing of it stays. */
  readonly isBenchmark: boolean;
  /** Whether the client wants to know more. */
  readonly isDebug: boolean;
}

/** A session, for as long as its connection lives. */
export interface HttpSession {
  /** Answers the requests of the connection. */
  readonly handler: HttpHandler;
  /** What it is, for the log: `backup host/elsa/2026-01-01T00:00:00Z`. */
  readonly description: string;
  /** Whether it did what it was for: a backup that was finished, a reader always. */
  readonly isFinished: boolean;
  /**
   * The connection is gone: gives back what is locked, and removes a backup that was not finished.
   * May be called twice; never rejects.
   */
  close(): Promise<void>;
}
