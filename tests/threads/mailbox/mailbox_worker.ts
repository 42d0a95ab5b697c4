/**
 * Threads of the mailbox's tests: one that answers, or one that calls.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { answerMail, type MailRequest } from "#src/threads/mailbox/answering.ts";
import { Mailbox } from "#src/threads/mailbox/mailbox.ts";

export interface TestRequest {
  readonly what:
    | "echo"
    | "sum"
    | "fail"
    | "never"
    | "parts"
    | "count"
    | "late"
    | "begun"
    | "aborted";
  readonly value?: number;
}

let [posted, begun, aborted] = [0, 0, 0];

async function handle({ request, payload, room, signal, part }: MailRequest) {
  const { what, value = 0 } = request as TestRequest;
  switch (what) {
    case "echo": {
      const copy = payload.slice();
      await new Promise((resolve) => setTimeout(resolve, value));
      room.set(copy.toReversed());
      return { value: { what, value }, size: copy.length };
    }
    case "sum":
      return { value: payload.reduce((sum, byte) => sum + byte, value) };
    case "parts":
      for (let number = 1; number <= value; number++) {
        room.fill(number, 0, number);
        await part(number);
      }
      return { value: "all" };
    case "never":
      begun++;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      aborted++;
      throw new Error("aborted");
    case "fail":
      throw new StateError("not-found", "Cannot find it", { hint: "Look elsewhere" });
    case "late":
      posted++;
      return {};
    case "count":
      return { value: posted };
    case "begun":
      return { value: begun };
    case "aborted":
      return { value: aborted };
  }
}

interface Start {
  readonly shared: SharedArrayBuffer;
  readonly role: "answer" | "call";
  readonly calls?: number;
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Start>) => void;
  postMessage: (message: unknown) => void;
  close(): void;
};

scope.onmessage = async ({ data: { shared, role, calls = 0 } }) => {
  if (role === "answer") {
    await answerMail(shared, handle);
    scope.postMessage("ended");
    return scope.close();
  }
  const mailbox = new Mailbox(shared);
  let wrong = 0;
  for (let number = 0; number < calls; number++) {
    const payload = new Uint8Array(1 + number % 50).fill(number);
    let answer: Uint8Array = new Uint8Array(0);
    const value = mailbox.call({ what: "echo", value: number % 3 }, {
      payload,
      timeoutMs: 60_000,
      take: (bytes) => answer = bytes.slice(),
    }) as TestRequest;
    const isRight = value.value === number % 3 && answer.length === payload.length &&
      answer.every((byte) => byte === number % 256);
    if (!isRight) wrong++;
  }
  scope.postMessage(wrong);
  scope.close();
};
