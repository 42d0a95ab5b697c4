/**
 * A transport of one's own: files of a host behind HTTP, and the `ClientProvider` that asks for
 * them. What travels is structured clones as bytes; any other form would do.
 *
 *     deno run -A --unstable-worker-options examples/own_transport.ts DIRECTORY DATASTORE
 *
 * @module
 */

import { deserialize, serialize } from "node:v8";
import {
  type ClientEntry,
  type ClientPage,
  type ClientProvider,
  type ContentPiece,
  type ContentRange,
  HostAccessor,
  LocalClient,
} from "@pbkfs/pbkfs/backup";
import { OsError } from "@pbkfs/pbkfs/errors";
import { BackupStore } from "@pbkfs/pbkfs/pull";

/** The client's end, which would run on the other host: a request is the name of a call. */
function serveFiles(files: LocalClient): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const [call, path, range] = deserialize(await request.bytes());
    try {
      if (call === "stat") return answer(await files.stat(path));
      if (call === "list") return answer(await Array.fromAsync(files.readDirectory(path)));
      const { entry, content } = await files.readFile(path, range);
      return answer({ entry, content: await Array.fromAsync(content) });
    } catch (error) {
      if (error instanceof OsError) return answer({ errno: error.errno });
      throw error;
    }
  });
}

function answer(value: unknown): Response {
  return new Response(new Uint8Array(serialize(value)));
}

interface ReadAnswer {
  entry: ClientEntry | undefined;
  content: ContentPiece[];
}

/** The end that backs up. */
class HttpClient implements ClientProvider {
  constructor(readonly url: string) {}

  stat(path: string) {
    return this.#call<ClientEntry>("stat", path);
  }

  async *readDirectory(path: string) {
    yield* await this.#call<ClientPage[]>("list", path);
  }

  async readFile(path: string, range: ContentRange) {
    const { entry, content } = await this.#call<ReadAnswer>("read", path, range);
    return { entry, content: ReadableStream.from(content) };
  }

  close() {}

  async #call<Answer>(call: string, path: string, range?: ContentRange): Promise<Answer> {
    const body = new Uint8Array(serialize([call, path, range]));
    const response = await fetch(this.url, { method: "POST", body });
    const value = deserialize(await response.bytes());
    if (value.errno !== undefined) throw new OsError(value.errno, call, path);
    return value;
  }
}

const [directory, datastore] = Deno.args;
await using server = serveFiles(new LocalClient(new HostAccessor()));
using store = await BackupStore.open(datastore!);
const { snapshot, fileCount } = await store.pull(
  new HttpClient(`http://127.0.0.1:${server.addr.port}`),
  { id: "http", roots: { "root.pxar": directory! } },
);
console.log(`${snapshot}: ${fileCount} files`);
