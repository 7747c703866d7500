/**
 * The object store's process: s3rver behind a socket that only root can open. It ends with its parent, whose
 * front has checked every request that comes here.
 */
import { rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";

interface S3rver {
  callback(): RequestListener;
}
const S3rver = createRequire(import.meta.url)("s3rver") as new (options: Record<string, unknown>) => S3rver;

const [directory, socketPath] = process.argv.slice(2);
if (directory === undefined || socketPath === undefined)
  throw new Error("usage: store-main <directory> <socket>");

process.once("disconnect", () => process.exit(0));
// A terminal's interrupt reaches the whole process group: the parent decides when this ends.
process.on("SIGINT", () => undefined);

const store = new S3rver({ directory, silent: true, vhostBuckets: false });
rmSync(socketPath, { force: true });
process.umask(0o177);
const server = createServer(store.callback());
server.keepAliveTimeout = 120_000;
server.requestTimeout = 0;
server.listen(socketPath, () => {
  process.umask(0o077);
  process.send?.("ready");
});
