import { beforeAll, expect, test } from "vitest";
import { type Finding, lint } from "./support/cfn-lint.ts";
import { type Stack, synthesizeAll } from "./support/synthesized.ts";

/** The first run installs cfn-lint, and templates of a megabyte take their time on a busy machine. */
const lintTimeoutMs = 15 * 60 * 1000;

/** What cfn-lint finds and we leave as it is. */
const left: readonly { readonly rule: string; readonly type: string; readonly because: string }[] = [
  {
    rule: "W3005",
    type: "AWS::Lambda::Function",
    because:
      "CDK says that a function comes after its role beside referring to it: said twice, it is the same",
  },
  {
    rule: "W3005",
    type: "AWS::StepFunctions::StateMachine",
    because: "CDK's own, as with functions",
  },
  {
    rule: "W3010",
    type: "AWS::EC2::Subnet",
    because: "the config names the zones: volumes of nodes are in them, and another order would part the two",
  },
];

let findings: readonly Finding[];

beforeAll(async () => {
  findings = await lint(distinct(await synthesizeAll()));
}, lintTimeoutMs);

const isLeft = ({ rule, type }: Finding): boolean =>
  left.some((one) => one.rule === rule && one.type === type);

test("CloudFormation takes every template of every stage: cfn-lint finds nothing that has no reason", () => {
  expect(findings.filter((found) => !isLeft(found))).toEqual([]);
});

test("every reason is still needed", () => {
  for (const { rule, type, because } of left) {
    const needed = findings.some((found) => found.rule === rule && found.type === type);
    expect(needed, `${rule} of ${type}: ${because}`).toBe(true);
  }
});

/** Templates that differ in the environment's name and its network's numbers alone are one for the linter. */
function distinct(stacks: readonly Stack[]): readonly Stack[] {
  const seen = new Map<string, Stack>();
  for (const stack of stacks) {
    const text = JSON.stringify(stack.template)
      .replaceAll(new RegExp(`\\b${stack.stage}\\b`, "g"), "<stage>")
      .replaceAll(/\b10\.\d+\.\d+\.\d+\b/g, "<address>")
      .replaceAll(/[0-9A-Fa-f]{32,64}/g, "<hash>");
    if (!seen.has(text)) seen.set(text, stack);
  }
  return [...seen.values()];
}
