import { glob, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { repositoryRoot } from "../../infra/build/build.ts";
import { renderVolumeUnit } from "../../layers/domain/config/index.ts";
import { shellcheck } from "./support/shellcheck.ts";
import { allResources, type Stack, synthesizeAll } from "./support/synthesized.ts";

/** dash reads scripts with a first line of their own; Image Builder runs its steps by bash. */
const shells = /^#!\/bin\/(sh|bash)\b/;
/** In place, with the reason behind it. */
const exception = /# shellcheck disable=\S+(?<reason> # \S.*)?/g;

let directory: string;
let stacks: readonly Stack[];
beforeAll(async () => {
  [directory, stacks] = await Promise.all([mkdtemp(path.join(tmpdir(), "pgherd-shell-")), synthesizeAll()]);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function scriptsOfTree(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const file of glob("{.ci,bench,infra,layers,local,test}/**/{run,*.sh}", {
    cwd: repositoryRoot,
  })) {
    const whole = path.join(repositoryRoot, file);
    expect(await readFile(whole, "utf8"), file).toMatch(shells);
    found.push(whole);
  }
  return found.toSorted();
}

const filled = z
  .object({ "Fn::Join": z.tuple([z.literal(""), z.array(z.unknown())]) })
  .transform((join) => join["Fn::Join"][1].map((part) => (typeof part === "string" ? part : "x")).join(""));
const text = z.union([z.string(), filled]);
const componentSchema = z.object({
  phases: z.array(
    z.object({
      steps: z.array(
        z.object({
          name: z.string(),
          inputs: z.union([z.object({ commands: z.array(z.string()) }), z.array(z.unknown())]),
        }),
      ),
    }),
  ),
});
const documentSchema = z.object({
  mainSteps: z.array(z.object({ inputs: z.object({ runCommand: z.array(z.string()) }) })),
});

/** What the stages make machines run: name → script. */
function scriptsOfTemplates(): Readonly<Record<string, string>> {
  const components = allResources(stacks, "AWS::ImageBuilder::Component").flatMap(({ Properties, stage }) =>
    componentSchema
      .parse(JSON.parse(text.parse(Properties["Data"])))
      .phases.flatMap(({ steps }) => steps)
      .flatMap(({ inputs, name }) =>
        Array.isArray(inputs)
          ? []
          : [[`${stage}-${name}`, `#!/bin/bash\n${inputs.commands.join("\n")}\n`] as const],
      ),
  );
  const recipes = allResources(stacks, "AWS::ImageBuilder::ImageRecipe").map(({ Properties, stage }) => {
    const { UserDataOverride } = z
      .object({ UserDataOverride: z.string() })
      .parse(Properties["AdditionalInstanceConfiguration"]);
    return [`${stage}-user-data`, Buffer.from(UserDataOverride, "base64").toString()] as const;
  });
  const documents = allResources(stacks, "AWS::SSM::Document").map(({ Properties, stage }) => {
    const { mainSteps } = documentSchema.parse(Properties["Content"]);
    const lines = mainSteps.flatMap(({ inputs }) => inputs.runCommand);
    return [`${stage}-document`, `#!/bin/sh\n${lines.join("\n")}\n`] as const;
  });
  return Object.fromEntries([...components, ...recipes, ...documents]);
}

/** The scripts in units: systemd hands on what stands between the quotes. */
function scriptsOfUnits(): Readonly<Record<string, string>> {
  const [, script = ""] = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(renderVolumeUnit("vol-0a1b")) ?? [];
  return { "volume-unit": `#!/bin/sh\n${script}\n` };
}

async function written(scripts: Readonly<Record<string, string>>): Promise<readonly string[]> {
  return Promise.all(
    Object.entries(scripts).map(async ([name, script]) => {
      expect(script, name).toMatch(shells);
      const file = path.join(directory, name);
      await writeFile(file, script);
      return file;
    }),
  );
}

describe("ShellCheck", () => {
  test("finds nothing in the scripts of the tree, the recipes of node images among them", async () => {
    const files = await scriptsOfTree();
    for (const recipe of ["infra/node-image/install.sh", "infra/node-image-aws/build.sh"])
      expect(files).toContain(path.join(repositoryRoot, recipe));
    expect(await shellcheck(files)).toEqual([]);
  });

  test("finds nothing in what the stages let machines run", async () => {
    const scripts = { ...scriptsOfTemplates(), ...scriptsOfUnits() };
    for (const name of ["prod-user-data", "prod-Install", "prod-Boot", "prod-document", "volume-unit"])
      expect(Object.keys(scripts)).toContain(name);
    expect(await shellcheck(await written(scripts))).toEqual([]);
  });

  test("finds what is wrong: it looks", async () => {
    const [file = ""] = await written({ careless: '#!/bin/sh\nrm -rf $1\n[[ -e "$2" ]]\n' });
    expect((await shellcheck([file])).map(({ code, line }) => [line, code])).toEqual([
      [2, 2086],
      [3, 3010],
    ]);
  });
});

test("what ShellCheck is told to leave has the reason beside it", async () => {
  for (const file of await scriptsOfTree())
    for (const { groups, 0: line } of (await readFile(file, "utf8")).matchAll(exception))
      expect(groups?.["reason"], `${file}: ${line}`).toBeDefined();
});
