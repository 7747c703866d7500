import { z } from "zod";
import { allResources, type Stack } from "./synthesized.ts";

const oneOrMore = z.union([z.unknown().transform((value) => (Array.isArray(value) ? value : [value]))]);
const statementSchema = z.object({
  Effect: z.string(),
  Action: oneOrMore,
  Resource: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});
const policySchema = z.looseObject({
  PolicyDocument: z.object({ Statement: z.array(statementSchema) }),
});

export interface Statement {
  readonly stage: string;
  readonly policy: string;
  readonly effect: string;
  readonly actions: readonly string[];
  /** ARNs with `<…>` where CloudFormation fills something in. */
  readonly resources: readonly string[];
  readonly conditions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Every statement of every policy of roles. */
export function policyStatements(stacks: readonly Stack[]): readonly Statement[] {
  const policies = [
    ...allResources(stacks, "AWS::IAM::Policy"),
    ...allResources(stacks, "AWS::IAM::ManagedPolicy"),
  ];
  return policies.flatMap((policy) =>
    policySchema.parse(policy.Properties).PolicyDocument.Statement.map((statement) => ({
      stage: policy.stage,
      policy: policy.id,
      effect: statement.Effect,
      actions: statement.Action.map(String),
      resources: (statement.Resource ?? []).map(show),
      conditions: statement.Condition,
    })),
  );
}

/** A value of a template as one string, with `<…>` where CloudFormation fills something in. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return value;
  }
  const record = z.record(z.string(), z.unknown()).parse(value);
  const join = record["Fn::Join"];
  if (Array.isArray(join) && Array.isArray(join[1])) {
    return join[1].map(show).join(String(join[0]));
  }
  return `<${JSON.stringify(record)}>`;
}
