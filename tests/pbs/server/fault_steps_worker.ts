/**
 * A client's thread: takes steps as it is told, and says what came of each.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import { NetworkLink } from "#src/pbs/client/network_link.ts";
import { RemoteStore } from "#src/pbs/client/remote_store.ts";
import { type Content, type Step, takeStep } from "./_fault_steps.ts";

/** A step, and the way to the server. */
export interface StepRequest {
  readonly mailbox: SharedArrayBuffer;
  readonly authId: string;
  readonly step: Step;
}

/** What came of it. */
export type StepResult =
  | { readonly content: Content }
  | { readonly failure: string; readonly code: string; readonly isTyped: boolean };

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<StepRequest>) => void;
  postMessage(result: StepResult): void;
};

scope.onmessage = ({ data: { mailbox, authId, step } }) => {
  const link = new NetworkLink(mailbox);
  const options = { link, name: `${authId}@server:main`, store: "main", authId };
  try {
    scope.postMessage({
      content: takeStep(new RemoteStore({ ...options, access: "write" }), step),
    });
  } catch (error) {
    const { message, code = "", stack } = error as Error & { code?: string };
    const isTyped = error instanceof Failure;
    scope.postMessage({ failure: isTyped ? message : `${stack}`, code, isTyped });
  }
};
