/**
 * What the network thread is asked for, as plain values. Bytes travel beside them.
 *
 * @module
 */

import type { CallParameters } from "./network_thread/server_port.ts";

/** The two kinds of indexes, as paths of the protocol begin. */
export type IndexKind = "dynamic" | "fixed";

/** A session of the network thread. */
export type SessionNumber = number;

/** What a person at a terminal may add to a login that was refused. */
export interface LoginChanges {
  readonly password?: string;
  readonly fingerprint?: string;
}

/** Requests; the comment of each says what bytes go with it, and what is answered. */
export type NetworkRequest =
  /**
   * With what is different in this attempt to log in, if anything; the ticket of the user, or null
   * of an API token. Without it the first other request logs in.
   */
  | { readonly what: "log-in"; readonly changes?: LoginChanges }
  /** `data` of the answer, as JSON in the bytes of the answer. */
  | {
    readonly what: "rest";
    readonly method: "GET" | "POST" | "PUT" | "DELETE";
    readonly path: string;
    readonly parameters: CallParameters;
    /** Whether the bytes are the body. */
    readonly hasBody?: boolean;
  }
  /** Number of a session. */
  | { readonly what: "open-reader"; readonly parameters: CallParameters }
  /** The file in parts; its size. */
  | {
    readonly what: "download";
    readonly session: SessionNumber;
    readonly name: string;
    readonly sizeMax: number;
  }
  /** The encoded chunk. */
  | { readonly what: "chunk"; readonly session: SessionNumber; readonly digest: string }
  /** Nothing. */
  | { readonly what: "expect"; readonly session: SessionNumber; readonly digest: string }
  /** Number of a session, and time of the snapshot that it is based on (or null). */
  | { readonly what: "open-backup"; readonly parameters: CallParameters }
  /** The file in parts. */
  | { readonly what: "previous"; readonly session: SessionNumber; readonly name: string }
  /** With digests, 32 bytes each. */
  | { readonly what: "know"; readonly session: SessionNumber }
  /** Whether it is known. */
  | { readonly what: "find"; readonly session: SessionNumber; readonly digest: string }
  /** Number of the index. */
  | {
    readonly what: "open-index";
    readonly session: SessionNumber;
    readonly kind: IndexKind;
    readonly name: string;
    readonly size?: number | undefined;
    readonly reusedChecksum?: string | undefined;
  }
  /** With the encoded chunk; whether it was sent. */
  | {
    readonly what: "upload";
    readonly session: SessionNumber;
    readonly wid: number;
    readonly digest: string;
    readonly size: number;
  }
  /** With 32 bytes of a digest and 8 of an offset for each entry. */
  | { readonly what: "append"; readonly session: SessionNumber; readonly wid: number }
  | {
    readonly what: "close-index";
    readonly session: SessionNumber;
    readonly wid: number;
    readonly count: number;
    readonly size: number;
    readonly checksum: string;
  }
  /** With the encoded blob. */
  | { readonly what: "blob"; readonly session: SessionNumber; readonly name: string }
  | { readonly what: "finish"; readonly session: SessionNumber }
  /** With bytes that are sent again and again for a time; `{requests, seconds}`. */
  | { readonly what: "speedtest"; readonly session: SessionNumber; readonly timeMs: number }
  /** Ends a session of either kind. */
  | { readonly what: "close"; readonly session: SessionNumber };

/** Bytes of an entry of `append`. */
export const APPEND_ENTRY_SIZE = 40;
/** The largest encoded chunk or blob that a server takes: 16 MiB and a header. */
export const SENT_BLOB_SIZE_MAX = (16 << 20) + 44;
/** Room for the text of a request or answer beside its bytes. */
export const TEXT_SIZE_MAX = 64 << 10;
