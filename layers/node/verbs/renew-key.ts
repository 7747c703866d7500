import { dirname } from "node:path";
import { nodePaths } from "../../domain/config/index.ts";
import type { VerbFunction } from "../context.ts";
import { ensureDirectory, ensureFile, root } from "../files.ts";
import { run } from "../process.ts";

const curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** A key that an earlier, unfinished renewal has left is nobody's: it is replaced. */
export const renewKey: VerbFunction<"renew-key"> = async (input) => {
  await ensureDirectory(dirname(nodePaths.nextKey), root, 0o700);
  const made = await run("openssl", ["genpkey", ...curve]);
  await ensureFile({ path: nodePaths.nextKey, content: made.stdout, owner: root, mode: 0o600 });
  const request = await run("openssl", [
    "req",
    "-new",
    "-key",
    nodePaths.nextKey,
    "-subj",
    `/CN=${input.nodeId}`,
  ]);
  return { certificateRequest: request.stdout };
};
