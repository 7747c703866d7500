import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeleteParameterCommand, GetParametersCommand } from "@aws-sdk/client-ssm";
import { expect, test } from "vitest";
import { z } from "zod";
import { ssmClient } from "./support/aws.ts";
import { initAt, onMachine } from "./support/machines.ts";
import { api, environment } from "./support/world.ts";

const parameter = "/pgherd/local/node-image-manifest";
const recipe = join(import.meta.dirname, "../../infra/node-image/packages.txt");
const place = "/var/tmp/publish";
/** Only machines on AWS have it; the manifest always names it. */
const agent = { "amazon-ssm-agent": "3.3.4177.0" };
const publishedSchema = z.object({ image: z.string(), packages: z.record(z.string(), z.string()) });

/** As Image Builder's test of an image runs it, by the rights of whoever deploys. */
const publish = `set -eu
set -a; . /etc/pgherd/aws.env; . ${place}/operator.env; set +a
exec node ${place}/publish-manifest.cjs ${parameter} ${place}/manifest.json ${place}/packages.txt`;

test("a machine says in Parameter Store which image it is from, and the versions of what its recipe names", async () => {
  const address = (await api.demo()).nodes[0]?.address ?? "";
  const directory = join(`/proc/${(await initAt(address)).pid}/root`, place);
  const ssm = await ssmClient(environment);
  try {
    await mkdir(directory, { mode: 0o700 });
    const program = "stage/build/node/publish-manifest.cjs";
    await copyFile(join(environment.stateDirectory, program), join(directory, "publish-manifest.cjs"));
    await copyFile(recipe, join(directory, "packages.txt"));
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = await environment.awsVariables();
    const operator = Object.entries({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION });
    const lines = operator.map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(directory, "operator.env"), lines.join(""), { mode: 0o600 });
    const installed = await onMachine(address, ["cat", "/usr/lib/pgherd/manifest.json"]);
    await writeFile(join(directory, "manifest.json"), JSON.stringify({ ...JSON.parse(installed), ...agent }));

    await onMachine(address, ["sh", "-c", publish]);

    const { Parameters } = await ssm.send(new GetParametersCommand({ Names: [parameter] }));
    const { image, packages } = publishedSchema.parse(JSON.parse(Parameters?.[0]?.Value ?? ""));
    expect(image).toMatch(/^ami-[0-9a-f]+$/);
    expect(packages).toMatchObject(agent);
    const named = [...(await readFile(recipe, "utf8")).matchAll(/^([a-z][\w.+-]*)\s/gm)].map(
      ([, name]) => name,
    );
    expect(Object.keys(packages).toSorted()).toEqual([...named, ...Object.keys(agent)].toSorted());
    expect(packages["patroni"]).toMatch(/^4\./);
  } finally {
    await ssm.send(new DeleteParameterCommand({ Name: parameter }));
    ssm.destroy();
    await rm(directory, { recursive: true });
  }
});
