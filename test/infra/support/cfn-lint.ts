import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { runProgram } from "../../../local/machines/program.ts";
import { ensurePythonPackages } from "../../world/python-program.ts";
import type { Stack } from "./synthesized.ts";

/** Reading a template of a megabyte against every schema takes half a minute where nothing else runs. */
const lintTimeoutMs = 10 * 60 * 1000;
/** Templates are judged by this region's schemas; cfn-lint knows none of a region that is none. */
const region = "eu-central-1";
/** Whatever is found is told in the output, and none of it ends the program. */
const neverFail = ["--non-zero-exit-code", "none"];

const findingSchema = z.object({
  Rule: z.object({ Id: z.string() }),
  Level: z.string(),
  Message: z.string(),
  Filename: z.string(),
  Location: z.object({ Path: z.array(z.union([z.string(), z.number()])).nullable() }),
});

export interface Finding {
  readonly template: string;
  readonly rule: string;
  readonly level: string;
  readonly message: string;
  /** Where in the template, with dots. */
  readonly path: string;
  /** Of the resource that it is about. */
  readonly type: string;
}

/** What cfn-lint says of templates, all of them in one process: loading the schemas takes longer than using them. */
export async function lint(stacks: readonly Stack[]): Promise<readonly Finding[]> {
  const programs = await ensurePythonPackages({
    name: "cfn-lint",
    requirements: path.join(import.meta.dirname, "cfn-lint-requirements.txt"),
  });
  const directory = await mkdtemp(path.join(tmpdir(), "pgherd-cfn-lint-"));
  try {
    const files = stacks.map((stack) => path.join(directory, `${stack.stackName}.json`));
    await Promise.all(
      stacks.map(({ template }, index) => writeFile(files[index] ?? "", JSON.stringify(template))),
    );
    const options = ["--format", "json", "--regions", region, ...neverFail];
    const output = await runProgram(
      path.join(programs, "python"),
      [path.join(programs, "cfn-lint"), ...options, "--template", ...files],
      { timeoutMs: lintTimeoutMs },
    );
    return z
      .array(findingSchema)
      .parse(JSON.parse(output))
      .map((found) => describe(found, stacks));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function describe(found: z.infer<typeof findingSchema>, stacks: readonly Stack[]): Finding {
  const template = path.basename(found.Filename, ".json");
  const [section, id] = found.Location.Path ?? [];
  const resources = stacks.find(({ stackName }) => stackName === template)?.template.Resources;
  return {
    template,
    rule: found.Rule.Id,
    level: found.Level,
    message: found.Message,
    path: (found.Location.Path ?? []).join("."),
    type: section === "Resources" ? (resources?.[String(id)]?.Type ?? "") : "",
  };
}
