import assert from "node:assert/strict";
import { SLOTS } from "#ffi/libfuse3/operations_table.ts";
import * as structs from "#ffi/libfuse3/structs.ts";
import type { StructLayout } from "#ffi/libfuse3/structs.ts";

/** Offsets that a C compiler printed: size, then field=offset. */
const RECORDED: Readonly<Record<string, readonly [StructLayout, string]>> = {
  fuse_args: [structs.FUSE_ARGS, "24 argc=0 argv=8 allocated=16"],
  libfuse_version: [structs.LIBFUSE_VERSION, "16 major=0 minor=4 hotfix=8 padding=12"],
  "fuse_buf (3.17)": [
    structs.FUSE_BUF,
    "48 size=0 flags=8 mem=16 fd=24 pos=32 mem_size=40",
  ],
  "fuse_file_info (3.14)": [
    structs.FUSE_FILE_INFO_40,
    "40 flags=0 bits=4 fh=16 lock_owner=24 poll_events=32",
  ],
  "fuse_file_info (3.17)": [
    structs.FUSE_FILE_INFO_64,
    "64 flags=0 bits=4 fh=16 lock_owner=24 poll_events=32 backing_id=36 compat_flags=40",
  ],
  fuse_forget_data: [structs.FUSE_FORGET_DATA, "16 ino=0 nlookup=8"],
  "stat (x86-64)": [
    structs.STAT_X86_64,
    "144 st_dev=0 st_ino=8 st_nlink=16 st_mode=24 st_uid=28 st_gid=32 st_rdev=40 st_size=48 " +
    "st_blksize=56 st_blocks=64 st_atim=72 st_mtim=88 st_ctim=104",
  ],
  "stat (aarch64)": [
    structs.STAT_AARCH64,
    "128 st_dev=0 st_ino=8 st_mode=16 st_nlink=20 st_uid=24 st_gid=28 st_rdev=32 st_size=48 " +
    "st_blksize=56 st_blocks=64 st_atim=72 st_mtim=88 st_ctim=104",
  ],
};

const TYPE_SIZES = { u16: 2, i32: 4, u32: 4, i64: 8, u64: 8, pointer: 8 } as const;

for (const [name, [layout, recorded]] of Object.entries(RECORDED)) {
  Deno.test(`struct ${name} has the layout that the C compiler gives it`, () => {
    const fields = Object.entries(layout.fields).map(([field, { offset }]) => `${field}=${offset}`);
    assert.equal([layout.size, ...fields].join(" "), recorded);
  });

  Deno.test(`struct ${name} has aligned fields that do not overlap`, () => {
    let end = 0;
    for (const [field, { offset, type }] of Object.entries(layout.fields)) {
      assert.equal(offset % TYPE_SIZES[type], 0, field);
      assert.ok(offset >= end, `${field} overlaps the field before it`);
      end = offset + TYPE_SIZES[type];
    }
    assert.ok(end <= layout.size);
  });
}

Deno.test("SLOTS holds every operation in a slot of its own inside the oldest table", () => {
  const slots = Object.values(SLOTS).map(({ slot }) => slot);
  assert.equal(new Set(slots).size, slots.length);
  assert.ok(Math.max(...slots) < 44);
  // Recorded from the compiler: the first, one in the middle and the last.
  assert.equal(SLOTS.lookup.slot, 2);
  assert.equal(SLOTS.create.slot, 30);
  assert.equal(SLOTS.lseek.slot, 43);
});
