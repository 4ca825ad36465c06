// An S3 server that nobody here wrote: OpenStack Swift with its S3 API (swift-server.py puts it together), with one
// bucket in it.

import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import type { MinioConfig } from "../../sdk/services/config.ts";
import { findProgram, hasProgram } from "./install.ts";
import { startServer, type TestServer } from "./process.ts";

const ACCESS_KEY = "test:tester";
const SECRET_KEY = "testing";
const BUCKET = "islet-tests";

/** For `describe.runIf`. */
export function hasS3(): boolean {
  return hasProgram("swift-proxy-server");
}

export interface S3Server extends AsyncDisposable {
  readonly server: TestServer;
  /** `port`: of what stands in front of it. */
  config(changes?: Partial<MinioConfig> & { readonly port?: number }): MinioConfig;
}

export async function startS3(): Promise<S3Server> {
  if (findProgram("swift-proxy-server") === null) throw new Error("Swift is missing");
  const script = join(import.meta.dirname, "swift-server.py");
  const server = await startServer({
    // Debian's own: another Python does not find its packages.
    command: "/usr/bin/python3",
    args: ({ folder, port }) => ["-B", script, folder, `${port}`, `tester:${SECRET_KEY}`],
    isReady: async ({ host, port }) => (await fetch(`http://${host}:${port}/info`)).ok,
  });
  const config: S3Server["config"] = ({ port = server.port, ...changes } = {}) => ({
    endpoint: `${server.host}:${port}`,
    access_key: ACCESS_KEY,
    secret_key: SECRET_KEY,
    bucket: BUCKET,
    use_ssl: false,
    region: "us-east-1",
    path_style: true,
    ...changes,
  });
  await createBucket(config());
  return { server, config, [Symbol.asyncDispose]: () => server.stop() };
}

/** What an operator does once. */
async function createBucket(config: MinioConfig): Promise<void> {
  const s3 = new S3({
    endpoint: `http://${config.endpoint}`,
    region: config.region,
    forcePathStyle: config.path_style,
    credentials: { accessKeyId: config.access_key, secretAccessKey: config.secret_key },
  });
  await s3.createBucket({ Bucket: config.bucket });
  s3.destroy();
}
