import assert from "node:assert/strict";
import { Opcode, OPCODE_COUNT } from "#ffi/libfuse3/kernel.ts";
import { Errno } from "#ffi/os_error.ts";
import {
  allocateStatistics,
  MountStatistics,
  SAMPLE_ALL_UNTIL,
  SAMPLE_EVERY,
  WorkerStatistics,
} from "#src/mount/statistics.ts";

Deno.test("MountStatistics sums over workers and names operations", () => {
  const buffer = allocateStatistics(2);
  const workers = [new WorkerStatistics(buffer, 0), new WorkerStatistics(buffer, 1)];
  for (const worker of workers) {
    worker.begin(Opcode.READ);
    worker.bytes(Opcode.READ, 8192);
    worker.latency(Opcode.READ, 10_000);
  }
  workers[1]!.begin(Opcode.LOOKUP);
  workers[1]!.error(Opcode.LOOKUP, Errno.EIO);
  for (const errno of [Errno.ENOENT, Errno.ENODATA]) workers[0]!.error(Opcode.LOOKUP, errno);
  const { read, lookup, ...others } = new MountStatistics(buffer, 2).operations();
  assert.equal(read?.count, 2);
  assert.equal(read?.bytes, 16_384);
  assert.equal(read?.errors, 0);
  // Names that are not there are an answer, no failure.
  assert.deepEqual([lookup?.errors, lookup?.negative], [1, 2]);
  assert.equal(lookup?.p50_us, 0);
  assert.deepEqual(others, {});
});

Deno.test("MountStatistics gives percentiles that are at most an eighth too high", () => {
  const buffer = allocateStatistics(1);
  const worker = new WorkerStatistics(buffer, 0);
  for (let i = 1; i <= 1000; i++) {
    worker.begin(Opcode.WRITE);
    worker.latency(Opcode.WRITE, i * 1000);
  }
  const { write } = new MountStatistics(buffer, 1).operations();
  assert.ok(write!.p50_us >= 500 && write!.p50_us <= 500 * 1.13, `${write!.p50_us}`);
  assert.ok(write!.p99_us >= 990 && write!.p99_us <= 990 * 1.13, `${write!.p99_us}`);
});

Deno.test("MountStatistics.reset() subtracts what was counted before", () => {
  const buffer = allocateStatistics(1);
  const worker = new WorkerStatistics(buffer, 0);
  const statistics = new MountStatistics(buffer, 1);
  worker.begin(Opcode.OPEN);
  statistics.reset();
  assert.deepEqual(statistics.operations(), {});
  worker.begin(Opcode.OPEN);
  assert.equal(statistics.operations()["open"]?.count, 1);
});

Deno.test("WorkerStatistics.begin() wants the first latencies, then one in some", () => {
  const worker = new WorkerStatistics(allocateStatistics(1), 0);
  let wanted = 0;
  const total = SAMPLE_ALL_UNTIL + 100 * SAMPLE_EVERY;
  for (let i = 0; i < total; i++) if (worker.begin(Opcode.GETATTR)) wanted++;
  assert.equal(wanted, SAMPLE_ALL_UNTIL + 100);
});

Deno.test("WorkerStatistics takes unknown requests and absurd latencies", () => {
  const buffer = allocateStatistics(1);
  const worker = new WorkerStatistics(buffer, 0);
  assert.equal(worker.begin(OPCODE_COUNT), false);
  worker.error(OPCODE_COUNT + 7, Errno.EIO);
  for (const latency of [-5, 0, 1, 2 ** 45, Number.MAX_SAFE_INTEGER]) {
    worker.begin(Opcode.READ);
    worker.latency(Opcode.READ, latency);
  }
  assert.equal(new MountStatistics(buffer, 1).operations()["read"]?.count, 5);
});
