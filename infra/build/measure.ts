import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { EnvironmentSettings } from "../../layers/domain/environment.ts";
import type { BuildOutput } from "./build.ts";

const run = promisify(execFile);

/** Far longer than any import may take; only a hang reaches it. */
const importTimeoutMs = 30_000;
const layerModules = "layer/nodejs/node_modules";

export interface FunctionMeasurement {
  readonly name: string;
  /** The function's own bundle. */
  readonly bundleBytes: number;
  /** Bundle and everything of the layer that it loads at once. */
  readonly loadedBytes: number;
  /** One process each, with nothing in its module cache. */
  readonly coldImportMs: readonly number[];
}

/** Loads every function as Lambda does, bundle and layer apart, in processes of their own. */
export async function measureFunctions(
  built: BuildOutput,
  runs: number,
): Promise<readonly FunctionMeasurement[]> {
  const directory = await mkdtemp(path.join(tmpdir(), "pgherd-measure-"));
  try {
    // Node.js looks for packages upwards from the bundle, as Lambda's runtime does in /opt/nodejs/node_modules.
    await symlink(path.join(built.directory, layerModules), path.join(directory, "node_modules"));
    await cp(path.join(built.directory, "functions"), path.join(directory, "functions"), { recursive: true });
    const measurements: FunctionMeasurement[] = [];
    for (const { name } of built.functions) {
      const bundle = `functions/${name}/index.mjs`;
      measurements.push({
        name,
        bundleBytes: built.files[bundle]?.bytes ?? 0,
        loadedBytes: loadedBytes(built, bundle),
        coldImportMs: await coldImports(path.join(directory, bundle), runs),
      });
    }
    return measurements;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What a template would say; an import only reads it. */
const settings: EnvironmentSettings = {
  environment: "measure",
  vpcId: "vpc-0",
  subnets: {},
  launchTemplateId: "lt-0",
  defaultInstanceType: "t4g.small",
  defaultDeletionProtection: false,
  defaultClientCidrs: [],
  monitoring: { securityGroupId: "sg-0", cidrs: [] },
  orphanGraceSeconds: 3600,
  nodeProgram: { bucket: "measure", key: "measure.cjs", sha256: "0".repeat(64) },
  nodeDocument: "measure",
  nodeRoles: {
    partition: "aws",
    account: "000000000000",
    boundaryArn: "arn:aws:iam::000000000000:policy/nodes",
  },
  backups: { bucket: "measure" },
  schedules: { group: "pgherd-local-clusters", targetArn: "target", roleArn: "role" },
  keyId: "measure",
  workflows: {},
  principals: {},
};
const variables = {
  AWS_REGION: "local-1",
  PGHERD_ENVIRONMENT: settings.environment,
  PGHERD_TABLE: "measure",
  PGHERD_SETTINGS: JSON.stringify(settings),
};

const program =
  "const t = performance.now(); import(process.argv[1]).then(() => { console.log(performance.now() - t); process.exit(0); });";

async function coldImports(file: string, runs: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let count = 0; count < runs; count++) {
    const { stdout } = await run(process.execPath, ["--eval", program, file], {
      timeout: importTimeoutMs,
      env: variables,
    });
    times.push(Number(stdout));
  }
  return times;
}

function loadedBytes(built: BuildOutput, bundle: string): number {
  const seen = new Set<string>();
  const visit = (file: string): number => {
    const description = built.files[file];
    if (description === undefined || seen.has(file)) {
      return 0;
    }
    seen.add(file);
    return description.imports.reduce(
      (sum, source) => sum + visit(built.layerEntries[source] ?? source),
      description.bytes,
    );
  };
  return visit(bundle);
}
