import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import {
  PxarAccessor,
  type PxarChild,
  PxarDecoder,
  type PxarLinkNode,
  type PxarNode,
  verifyArchive,
} from "#src/pxar/mod.ts";
import {
  type MalformedCase,
  malformedCases,
  MemorySource,
  sequentialBytes,
  type Verdict,
} from "#tests/support/pxar_fixtures.ts";

const TIME_MAX_MS = 1000;
const MEMORY_MAX_BYTES = 64 << 20;

function readSequentially({ path, payloadPath }: MalformedCase): void {
  const decoder = new PxarDecoder(
    sequentialBytes(Deno.readFileSync(path)),
    payloadPath === undefined ? {} : { payload: sequentialBytes(Deno.readFileSync(payloadPath)) },
  );
  const target = new Uint8Array(65_536);
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry" || event.entry.kind !== "file") continue;
    while (decoder.readContent(target) > 0);
  }
}

function sourcesOf({ path, payloadPath }: MalformedCase) {
  return {
    source: new MemorySource(Deno.readFileSync(path)),
    options: payloadPath === undefined
      ? {}
      : { payload: new MemorySource(Deno.readFileSync(payloadPath)) },
  };
}

function readAtRandom(given: MalformedCase): void {
  const { source, options } = sourcesOf(given);
  const accessor = PxarAccessor.open(source, options);
  const target = plainBuffer(65_536);
  const visit = (child: PxarChild): void => {
    const node = child.entry.kind === "hardlink"
      ? accessor.resolveHardlink(child as PxarLinkNode)
      : child as PxarNode;
    if (node.entry.kind === "file") {
      let offset = 0;
      while (true) {
        const count = accessor.readContent(node, offset, target, 0, target.bytes.length);
        if (count === 0) break;
        offset += count;
      }
    }
    if (node.table === undefined) return;
    for (const next of [...accessor.readDirectory(node)]) {
      assert.equal(accessor.storedChild(node, next.name)?.offset, next.offset);
      visit(next);
    }
  };
  visit(accessor.root);
}

/** Code of the error that `read` throws, undefined when it returns. */
function codeOf(read: () => void): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return error.code;
  }
}

function checkVerdict(given: MalformedCase, verdict: Verdict, code: string | undefined): void {
  if (verdict === "ok") assert.equal(code, undefined);
  else if (verdict === "error") assert.equal(code, given.class);
  else assert.ok(code === undefined || code === given.class, `${code} instead of ${given.class}`);
}

/** Runs a reader within the limits of time and memory. */
function limited<Result>(run: () => Result): Result {
  const memoryBefore = Deno.memoryUsage();
  const start = performance.now();
  const result = run();
  assert.ok(performance.now() - start < TIME_MAX_MS);
  const memory = Deno.memoryUsage();
  const used = memory.heapUsed + memory.external - memoryBefore.heapUsed - memoryBefore.external;
  assert.ok(used < MEMORY_MAX_BYTES, `${used} bytes`);
  return result;
}

Deno.test("no malformed archive is one that other programs are lost on", () => {
  for (const { name, outcomes } of malformedCases()) {
    for (const outcome of outcomes) assert.match(outcome, /^(ok|error)$/, name);
  }
});

for (const given of malformedCases()) {
  Deno.test(`PxarDecoder reads malformed/${given.name} as it should`, () => {
    checkVerdict(
      given,
      given.expect.sequential,
      limited(() => codeOf(() => readSequentially(given))),
    );
  });

  Deno.test(`PxarAccessor reads malformed/${given.name} as it should`, () => {
    checkVerdict(given, given.expect.random, limited(() => codeOf(() => readAtRandom(given))));
  });

  Deno.test(`verifyArchive tells what is wrong with malformed/${given.name}`, () => {
    const { source, options } = sourcesOf(given);
    const findings = limited(() => [...verifyArchive(source, options)]);
    assert.equal(findings[0]?.code, given.class, JSON.stringify(findings));
    assert.ok(findings.length <= 2, JSON.stringify(findings));
  });
}
