/**
 * A network thread whose server is in its own memory.
 *
 * @module
 */

import { hostCodecs } from "#src/codecs/codecs.ts";
import { type NetworkStart, serveNetwork } from "#src/pbs/client/network_thread/serve.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { FakeServer, setManifestDecoder } from "./_fake_server.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<NetworkStart<undefined>>) => void;
  close(): void;
};

scope.onmessage = async ({ data }) => {
  const codec = new BlobCodec(hostCodecs());
  setManifestDecoder((blob) => JSON.parse(new TextDecoder().decode(codec.decodeBytes(blob, {}))));
  const server = new FakeServer();
  await serveNetwork(data, () => Promise.resolve(server));
  scope.close();
};
