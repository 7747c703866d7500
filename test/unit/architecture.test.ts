import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const biome = path.join(repository, "node_modules/@biomejs/biome/bin/biome");
const lintTimeoutMs = 60_000;

/** File → an import that it must not have → a part of what lint says to do instead. */
const forbidden = [
  ["layers/domain/a.ts", "../ports/index.ts", "take what you need as an argument"],
  ["layers/domain/cluster/a.ts", "../../aws/store.ts", "take what you need as an argument"],
  ["layers/domain/a.ts", "../runtime/index.ts", "take what you need as an argument"],
  ["layers/domain/a.ts", "node:fs/promises", "take files, time and randomness as arguments"],
  ["layers/domain/a.ts", "node:crypto", "take files, time and randomness as arguments"],
  ["layers/domain/a.ts", "ulid", "take files, time and randomness as arguments"],
  ["layers/ports/a.ts", "../aws/store.ts", "say what is needed in words of the domain"],
  ["layers/ports/a.ts", "node:net", "the implementation belongs to layers/aws"],
  ["layers/aws/a.ts", "../runtime/http.ts", "move plumbing into the function"],
  ["layers/aws/a.ts", "hono", "HTTP belongs to functions/api and layers/runtime"],
  ["layers/aws/a.ts", "@aws/durable-execution-sdk-js", "write a function here that a workflow's step calls"],
  ["layers/runtime/a.ts", "../aws/store.ts", "take a port as an argument"],
  ["layers/runtime/http/a.ts", "@aws-sdk/client-ec2", "add what you need to a port"],
  ["layers/node/a.ts", "../aws/secrets.ts", "The node program runs on a node"],
  ["layers/node/main.ts", "../runtime/index.ts", "The node program runs on a node"],
  ["layers/node/a.ts", "@aws-sdk/client-s3", "add what you need to a port"],
  ["functions/api/clusters/create.ts", "@aws-sdk/client-ec2", "add what you need to a port"],
  ["functions/api/clusters/create.ts", "@pgherd/layers/aws/store", "take the port as an argument"],
  ["functions/api/clusters/create.ts", "@aws/durable-execution-sdk-js", "Durable execution belongs to"],
  ["functions/api/index.ts", "../../layers/domain/index.ts", "import @pgherd/layers/"],
  ["functions/api/index.ts", "../../local/main.ts", "there is one code path"],
  ["functions/workflows/a.ts", "hono", "HTTP belongs to functions/api and layers/runtime"],
  ["functions/workflows/a.ts", "../../infra/app.ts", "move what you need to layers/domain"],
  ["functions/reconcilers/a.ts", "@aws/durable-execution-sdk-js", "Durable execution belongs to"],
  ["infra/stacks/a.ts", "../../functions/api/index.ts", "AWS invokes it by its path"],
  ["infra/stacks/a.ts", "../../layers/aws/store.ts", "knows layers/domain alone"],
  ["infra/stacks/a.ts", "../../local/main.ts", "there is one code path"],
  ["local/deploy/a.ts", "aws-cdk-lib", "infra/ alone says where things are"],
  ["local/deploy/a.ts", "../../infra/stacks/data.ts", "read what you need from the synthesized stage"],
  ["local/deploy/a.ts", "../../functions/api/index.ts", "AWS invokes it by its path"],
  ["local/deploy/a.ts", "../../layers/runtime/index.ts", "speak to the product through its API"],
  ["test/e2e/a.test.ts", "@pgherd/layers/runtime", "HTTP, psql, the AWS command line and a stopwatch"],
] as const;

/** What the same folders do import. */
const allowed = [
  ["layers/domain/a.ts", "zod"],
  ["layers/domain/a.ts", "./node/index.ts"],
  ["layers/ports/a.ts", "../domain/index.ts"],
  ["layers/aws/a.ts", "@aws-sdk/client-ec2"],
  ["layers/aws/a.ts", "../ports/index.ts"],
  ["layers/runtime/http/a.ts", "hono"],
  ["layers/runtime/workflow/a.ts", "@aws/durable-execution-sdk-js"],
  ["layers/node/a.ts", "../domain/node/index.ts"],
  ["layers/node/main.ts", "../aws/node.ts"],
  ["functions/api/index.ts", "@pgherd/layers/aws/store"],
  ["functions/api/clusters/create.ts", "hono"],
  ["functions/workflows/a.ts", "@aws/durable-execution-sdk-js"],
  ["functions/workflows/a.ts", "@pgherd/layers/aws/compute"],
  ["infra/stacks/a.ts", "aws-cdk-lib"],
  ["infra/stacks/a.ts", "../../layers/domain/environment.ts"],
  ["local/commands/a.ts", "../../infra/build/synth.ts"],
] as const;

const reportSchema = z.object({
  diagnostics: z.array(
    z.object({
      category: z.string().nullable(),
      message: z.string(),
      location: z.object({ path: z.string(), start: z.object({ line: z.int() }) }),
    }),
  ),
});

/** `file:import` → what lint says about it. */
const said = new Map<string, string>();

/** Lints a tree outside the repository that has its rules and, in each file, one import per line. */
beforeAll(async () => {
  const tree = await mkdtemp(path.join(tmpdir(), "pgherd-architecture-"));
  try {
    await cp(path.join(repository, "biome.json"), path.join(tree, "biome.json"));
    const imports = importsByFile();
    for (const [file, sources] of imports) {
      await mkdir(path.join(tree, path.dirname(file)), { recursive: true });
      const lines = sources.map((source, index) => `export { a as a${index} } from "${source}";\n`);
      await writeFile(path.join(tree, file), lines.join(""));
    }
    for (const { category, message, location } of await lint(tree)) {
      const source = imports.get(location.path)?.[location.start.line - 1];
      if (category === "lint/style/noRestrictedImports" && source !== undefined) {
        said.set(`${location.path}:${source}`, message);
      }
    }
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}, lintTimeoutMs);

function importsByFile(): Map<string, string[]> {
  const imports = new Map<string, string[]>();
  for (const [file, source] of [...forbidden, ...allowed]) {
    imports.set(file, [...(imports.get(file) ?? []), source]);
  }
  return imports;
}

async function lint(tree: string): Promise<z.infer<typeof reportSchema>["diagnostics"]> {
  const options = ["lint", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=none", "."];
  const report = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      [biome, ...options],
      { cwd: tree, timeout: lintTimeoutMs },
      (error, stdout) => {
        // Lint that finds something exits with 1; without a report it did not run.
        if (stdout === "") {
          reject(error ?? new Error("biome printed nothing"));
        } else {
          resolve(stdout);
        }
      },
    );
  });
  return reportSchema.parse(JSON.parse(report)).diagnostics;
}

describe("lint refuses an import against the direction and says what to do instead", () => {
  test.each(forbidden)("%s does not import %s", (file, source, instead) => {
    expect(said.get(`${file}:${source}`)).toContain(instead);
  });
});

describe("lint lets pass what the architecture allows", () => {
  test.each(allowed)("%s imports %s", (file, source) => {
    expect(said.get(`${file}:${source}`)).toBeUndefined();
  });
});
