/**
 * What requests are answered, a frame at a time: metadata and contents of files.
 *
 * @module
 */

import type { FileSystemAccessor } from "#src/backup/client/file_system_accessor.ts";
import type { ClientEntry } from "#src/backup/client/provider.ts";
import { FieldWriter } from "#src/bytes/fields.ts";
import type { DataPacker } from "./data_packing.ts";
import { encodePage, writeRecord } from "#src/backup/client/entry_record.ts";
import { frameCost, FrameKind } from "./format/frame.ts";
import { type AgentRequest, encodeHole } from "./format/request.ts";

/** A frame of an answer. */
export interface AnswerFrame {
  readonly type: number;
  readonly flags?: number;
  /** As long as nothing else is asked for. */
  readonly payload?: Uint8Array<ArrayBuffer>;
  /** Of the credit that was given; none where it is left out. */
  readonly cost?: number;
}

/** An answer under way; to be ended by `return()` when it is not taken to its end. */
export type FileAnswer = Generator<AnswerFrame, void>;

/** Requests about files. */
export type FileRequest = Exclude<AgentRequest, { kind: "run" }>;

/** The payload at hand. */
const fields = new FieldWriter();

const END: AnswerFrame = { type: FrameKind.END };

/**
 * Answers a request about files; nothing is looked at before the first frame is asked for.
 *
 * @param packer packs contents, where both sides can; they travel as they are without it
 */
export function answerTo(
  request: FileRequest,
  files: FileSystemAccessor,
  packer: DataPacker | undefined,
): FileAnswer {
  switch (request.kind) {
    case "stat":
      return answerStat(request.path, files);
    case "list":
      return answerList(request.path, files);
    case "read":
      return answerRead(request, files, packer);
  }
}

function* answerStat(path: string, files: FileSystemAccessor): FileAnswer {
  yield entryFrame(files.stat(path));
  yield END;
}

function entryFrame(entry: ClientEntry): AnswerFrame {
  fields.truncate(0);
  writeRecord(fields, entry);
  return { type: FrameKind.ENTRY, payload: fields.bytes };
}

function* answerList(path: string, files: FileSystemAccessor): FileAnswer {
  for (const page of files.readDirectory(path)) {
    for (const payload of encodePage(page, fields)) {
      yield { type: FrameKind.PAGE, payload, cost: frameCost(payload.length) };
    }
  }
  yield END;
}

function* answerRead(
  request: Extract<FileRequest, { kind: "read" }>,
  files: FileSystemAccessor,
  packer: DataPacker | undefined,
): FileAnswer {
  const { entry, content } = files.readFile(request.path, request);
  const pieces = content[Symbol.iterator]();
  try {
    if (entry !== undefined) yield entryFrame(entry);
    for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
      const piece = next.value;
      if ("holeBytes" in piece) {
        const payload = encodeHole(piece.holeBytes);
        yield { type: FrameKind.HOLE, payload, cost: frameCost(0) };
        continue;
      }
      const cost = frameCost(piece.length);
      const packed = packer?.pack(piece) ?? { payload: piece as Uint8Array<ArrayBuffer> };
      yield { type: FrameKind.DATA, cost, ...packed };
    }
    yield END;
  } finally {
    pieces.return?.();
  }
}
