import { createHash } from "node:crypto";
import { access, constants, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuildOutput, build } from "../../infra/build/build.ts";
import { type SynthesizedStage, synthesize } from "../../infra/build/synth.ts";

const variables = { PGHERD_LOCAL_VPC_CIDR: "198.18.8.0/22", PGHERD_LOCAL_ISSUER: "http://198.18.8.1:4000/" };

/**
 * The clients of AWS's services that a function loads when it starts. What few of its calls need is loaded later;
 * DynamoDB's is in the file that all of them load.
 */
const clients: Readonly<Record<string, readonly string[]>> = {
  api: ["dynamodb"],
  "await-cluster": ["dynamodb"],
  "begin-cluster": ["dynamodb"],
  "start-backup": ["dynamodb", "lambda"],
  certificates: ["dynamodb", "lambda"],
  "cluster-health": ["dynamodb", "ec2", "ssm"],
  "deleted-clusters": ["dynamodb", "s3", "ssm"],
  expirations: ["dynamodb", "lambda"],
  orphans: ["dynamodb", "ec2", "iam", "scheduler", "ssm"],
  "retired-versions": ["dynamodb", "lambda"],
  "scheduled-backups": ["dynamodb", "lambda"],
  "self-healing": ["dynamodb", "ec2", "lambda", "ssm"],
  "stuck-operations": ["dynamodb", "lambda"],
  "create-cluster": ["dynamodb", "ec2", "s3", "scheduler", "ssm"],
  "restore-cluster": ["dynamodb", "ec2", "s3", "scheduler", "ssm"],
  "delete-cluster": ["dynamodb", "ec2", "lambda", "scheduler", "ssm"],
};
/** Every other workflow: all of them open the same ports. */
const clientsOfWorkflows = ["dynamodb", "ec2", "scheduler", "ssm"];
/** Of EC2 alone a function would load half a megabyte, were the shapes that it does not use not left out. */
const clientBytesMax = 150_000;
/** Before they had one file in common, functions loaded up to 58. */
const filesMax = 24;

let directory: string;
let built: BuildOutput;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "pgherd-synthesis-"));
  built = await build({ directory: path.join(directory, "build") });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function synthesizeLocal(out: string, changed: Partial<typeof variables> = {}): Promise<SynthesizedStage> {
  const outDirectory = path.join(directory, out);
  return synthesize({ stage: "local", outDirectory, variables: { ...variables, ...changed } });
}

describe("a synthesis", () => {
  test("is skipped while nothing changed, and finds the same again", async () => {
    const first = await synthesizeLocal("again");
    const second = await synthesizeLocal("again");
    expect(first.fresh).toBe(true);
    expect(second).toEqual({ ...first, fresh: false });
  });

  test("is repeated when a variable changed", async () => {
    await synthesizeLocal("changed");
    const changed = await synthesizeLocal("changed", { PGHERD_LOCAL_VPC_CIDR: "198.18.12.0/22" });
    expect(changed.fresh).toBe(true);
    const templates = await Promise.all(changed.stacks.map(({ template }) => readFile(template, "utf8")));
    expect(templates.join()).toContain("198.18.12.0/22");
    expect(templates.join()).not.toContain("198.18.8.0/22");
  });

  test("that was interrupted is repeated", async () => {
    const first = await synthesizeLocal("interrupted");
    await rm(path.join(directory, "interrupted/key"));
    await writeFile(`${path.join(directory, "interrupted")}.next`, "half of it");
    expect(await synthesizeLocal("interrupted")).toEqual(first);
  });

  test("answers stacks in the order in which they deploy, and every asset that a template names", async () => {
    const stage = await synthesizeLocal("again");
    expect(stage).toMatchObject({ account: "000000000000", region: "local-1" });
    expect(stage.stacks.map(({ name }) => name)).toEqual([
      "pgherd-local-data",
      "pgherd-local-nodes",
      "pgherd-local-control-plane",
    ]);
    const controlPlane = stage.stacks.at(-1);
    const template = await readFile(controlPlane?.template ?? "", "utf8");
    const named = new Set(
      [...template.matchAll(/pgherd\/local\/[0-9a-f]{64}\.(?:zip|cjs)/g)].map(([key]) => key),
    );
    expect(named.size).toBeGreaterThanOrEqual(5);
    expect(new Set(controlPlane?.assets.map(({ key }) => key))).toEqual(named);
    for (const { source } of controlPlane?.assets ?? []) {
      await access(source);
    }
  });

  test("names the node program by its bytes", async () => {
    const stage = await synthesizeLocal("again");
    const controlPlane = stage.stacks.at(-1);
    const program = controlPlane?.assets.find(({ packaging }) => packaging === "file");
    const sha256 = createHash("sha256")
      .update(await readFile(program?.source ?? ""))
      .digest("hex");
    expect(await readFile(controlPlane?.template ?? "", "utf8")).toContain(sha256);
  });

  test("gives the loader of the node image: one executable file", async () => {
    const { nodeLoader } = await synthesizeLocal("again");
    await access(nodeLoader, constants.X_OK);
    expect((await readFile(nodeLoader, "utf8")).startsWith("#!/usr/bin/env node\n")).toBe(true);
  });
});

describe("a build", () => {
  test("of the same sources gives the same bytes", async () => {
    const again = await build({ directory: path.join(directory, "elsewhere") });
    expect(await hashes(again.directory)).toEqual(await hashes(built.directory));
  });

  test("has a bundle for every function of the tree", async () => {
    const names = built.functions.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["api", "create-cluster", "delete-cluster", "stuck-operations"]),
    );
    for (const name of names) {
      await access(path.join(built.directory, "functions", name, "index.mjs"));
    }
  });

  test("ships no package twice: what the layer has is in no bundle", () => {
    const inLayer = packagesIn("layer/");
    expect(inLayer.size).toBeGreaterThan(5);
    expect([...packagesIn("functions/")].filter((name) => inLayer.has(name))).toEqual([]);
  });

  test("gives each function the clients that it calls, and of each client what it calls", () => {
    for (const { kind, name } of built.functions) {
      const bytes = clientsIn(loadedBy(`functions/${name}/index.mjs`));
      const expected = clients[name] ?? (kind === "workflow" ? clientsOfWorkflows : []);
      expect([...bytes.keys()].toSorted(), name).toEqual(expected);
      for (const [client, count] of bytes) expect(count, `${name}: ${client}`).toBeLessThan(clientBytesMax);
    }
  });

  test("gives each function few files to load, because each is found and linked by itself", () => {
    for (const { name } of built.functions) {
      const files = loadedBy(`functions/${name}/index.mjs`);
      expect(files.size, [name, ...files].join(" ")).toBeLessThanOrEqual(filesMax);
    }
  });

  test("keeps the names of errors: the durable execution SDK asks classes for theirs", async () => {
    const files = [...loadedBy("functions/converge-cluster/index.mjs")];
    const contents = await Promise.all(
      files.map((file) => readFile(path.join(built.directory, file), "utf8")),
    );
    const names = [...contents.join("\n").matchAll(/\b(\w+)=class extends \w*Error\b/g)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(
      expect.arrayContaining(["StepError", "InvokeError", "UnrecoverableInvocationError"]),
    );
  });

  test("has a layer that takes no package's name: nothing shadows what the runtime has", async () => {
    const modules = path.join(built.directory, "layer/nodejs/node_modules");
    expect(await readdir(path.join(built.directory, "layer"))).toEqual(["nodejs"]);
    expect(await readdir(modules)).toEqual(["@pgherd"]);
    expect(await readdir(path.join(modules, "@pgherd"))).toEqual(["layers"]);
  });

  test.each(["node/pgherd-node.cjs", "node/run", "node/publish-manifest.cjs"])(
    "leaves nothing outside %s but Node.js itself",
    (file) => {
      const imports = built.files[file]?.imports;
      expect(imports?.filter((source) => !isBuiltin(source))).toEqual([]);
    },
  );

  test("leaves no import() in the node program, of which V8 keeps no compiled code", async () => {
    const program = await readFile(path.join(built.directory, "node/pgherd-node.cjs"), "utf8");
    expect(/\bimport\(\s*["']/.test(program)).toBe(false);
  });

  test("leaves nothing outside functions but the layer and Node.js itself", () => {
    const functions = Object.entries(built.files).filter(([file]) => file.startsWith("functions/"));
    const imports = functions.flatMap(([, description]) => description.imports);
    expect(imports).toContain("@pgherd/layers/aws/store");
    expect(imports.filter((source) => !isBuiltin(source) && !source.startsWith("@pgherd/layers/"))).toEqual(
      [],
    );
  });

  test("has nothing that an ES module cannot load: no call of `require` is left for run time", async () => {
    const modules = Object.keys(built.files).filter((file) => /\.m?js$/.test(file));
    const contents = await Promise.all(
      modules.map((file) => readFile(path.join(built.directory, file), "utf8")),
    );
    expect(modules.filter((_file, index) => contents[index]?.includes("Dynamic require of"))).toEqual([]);
  });
});

function packagesIn(prefix: string): ReadonlySet<string> {
  const sources = Object.entries(built.files)
    .filter(([file]) => file.startsWith(prefix))
    .flatMap(([, { sources: bytes }]) => Object.entries(bytes).filter(([, count]) => count > 0));
  const packages = sources.flatMap(
    ([source]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? [],
  );
  return new Set(packages);
}

/** The file and everything that it imports when it is imported. */
function loadedBy(file: string, seen: ReadonlySet<string> = new Set()): ReadonlySet<string> {
  const description = built.files[file];
  if (description === undefined || seen.has(file)) return seen;
  return description.imports.reduce<ReadonlySet<string>>(
    (found, source) => loadedBy(built.layerEntries[source] ?? source, found),
    new Set([...seen, file]),
  );
}

/** Client → bytes of it. */
function clientsIn(files: ReadonlySet<string>): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const [source, count] of [...files].flatMap((file) =>
    Object.entries(built.files[file]?.sources ?? {}),
  )) {
    const client = /node_modules\/@aws-sdk\/client-([\w-]+)\//.exec(source)?.[1];
    if (client !== undefined && count > 0) bytes.set(client, (bytes.get(client) ?? 0) + count);
  }
  return bytes;
}

async function hashes(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const hashed = await Promise.all(
    files.map(async (file) => {
      const hash = createHash("sha256")
        .update(await readFile(file))
        .digest("hex");
      return [path.relative(folder, file), hash] as const;
    }),
  );
  return Object.fromEntries(hashed.sort());
}
