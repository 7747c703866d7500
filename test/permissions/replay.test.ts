import { beforeAll, describe, expect, test } from "vitest";
import type { StageName } from "../../infra/config/index.ts";
import type { PermissionUse } from "../../local/permissions/use.ts";
import { deployOnPaper, type PaperStage } from "../infra/support/paper-stage.ts";
import { policyStatements } from "../infra/support/policies.ts";
import { answerOf } from "../infra/support/simulate.ts";
import { type Stack, synthesizeAll } from "../infra/support/synthesized.ts";
import { nodeRoleFor } from "./support/nodes.ts";
import { type Recording, readRecordings } from "./support/recordings.ts";
import { translatorTo } from "./support/translate.ts";
import { rarelyUsed, usedElsewhere } from "./support/unused.ts";

/** The stage that was recorded, and the one that matters most. */
const stages: readonly StageName[] = ["local", "prod"];

/** A whole run of both lanes comes to thousands; fewer than this mean that recording broke. */
const usesMin = 200;

let stacks: readonly Stack[];
let recordings: readonly Recording[];

beforeAll(async () => {
  [recordings, stacks] = await Promise.all([readRecordings(), synthesizeAll()]);
});

/** Everything that was recorded, in the words of a stage, with the stage as its environment called things. */
function replayed(name: StageName): readonly { stage: PaperStage; use: PermissionUse }[] {
  return recordings.flatMap(({ stage: recorded, uses }) => {
    const known = name === "local" ? new Map(Object.entries(recorded.resources)) : new Map();
    const stage = deployOnPaper(stacks, name, known);
    const translated = name === "local" ? uses : uses.map(translatorTo(stage, recorded));
    return translated.map((use) => ({ stage, use }));
  });
}

async function refusal({ stage, use }: { stage: PaperStage; use: PermissionUse }): Promise<string | null> {
  const role = stage.roles.get(use.role) ?? nodeRoleFor(stage, use);
  const answer = role === null ? "has no policies in the templates" : await answerOf(stage, role, use);
  return answer === "Allowed" ? null : `${use.role} ${answer}: ${JSON.stringify(use)}`;
}

describe.each(stages)("in the stage %s", (name) => {
  test("every call that was made on machines is allowed to the role that made it", async () => {
    const uses = replayed(name);
    expect(uses.length).toBeGreaterThan(usesMin);
    const refusals: string[] = [];
    for (const use of uses) {
      const found = await refusal(use);
      if (found !== null) refusals.push(found);
    }
    process.stdout.write(`${name}: ${uses.length} recorded permissions, ${refusals.length} refused\n`);
    expect(refusals).toEqual([]);
  });

  test("every action in a policy was used on machines, or stands in a list with the reason", () => {
    const used = new Set(replayed(name).map(({ use }) => use.action));
    const granted = new Set(
      policyStatements(stacks).flatMap(({ stage, actions }) => (stage === name ? actions : [])),
    );
    const reasons = { ...usedElsewhere, ...rarelyUsed };
    const unexplained = [...granted].filter((action) => !used.has(action) && !(action in reasons));
    expect(unexplained.toSorted()).toEqual([]);
  });
});

test("the lists of reasons name nothing that is used on machines every time, and nothing that no policy grants", () => {
  const used = new Set(recordings.flatMap(({ uses }) => uses.map(({ action }) => action)));
  expect(Object.keys(usedElsewhere).filter((action) => used.has(action))).toEqual([]);
  const granted = new Set(policyStatements(stacks).flatMap(({ actions }) => actions));
  const listed = Object.keys({ ...usedElsewhere, ...rarelyUsed });
  expect(listed.filter((action) => !granted.has(action))).toEqual([]);
});
