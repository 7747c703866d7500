import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { type OperationStep, stepSchema } from "../../domain/operation/operation.ts";
import type { Table } from "./client.ts";
import { operationKey } from "./keys.ts";
import { noOperation } from "./refusals.ts";

/** The first try takes every step for one that is there; another writer may append the same ones between the others. */
const attemptsMax = 4;

/** Replaces steps that are there, in one write; those that the operation did not name before go to the end. */
export async function updateSteps(
  table: Table,
  operationId: string,
  steps: readonly OperationStep[],
): Promise<void> {
  if (steps.length === 0) return;
  const written = [...new Map(steps.map((step) => [step.name, step])).values()];
  let known: ReadonlySet<string> = new Set(written.map((step) => step.name));
  let refusal: unknown;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    try {
      await table.client.send(updateOf(table, operationId, written, known));
      return;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      if (error.Item === undefined) throw noOperation(operationId, error);
      known = new Set(Object.keys(error.Item["steps"]?.M ?? {}));
      refusal = error;
    }
  }
  throw refusal;
}

function updateOf(
  table: Table,
  operationId: string,
  steps: readonly OperationStep[],
  known: ReadonlySet<string>,
): UpdateCommand {
  const added = steps.filter((step) => !known.has(step.name)).map((step) => step.name);
  const conditions = steps.map(
    (step, index) =>
      `${known.has(step.name) ? "attribute_exists" : "attribute_not_exists"}(steps.#name${index})`,
  );
  const sets = steps.map((_step, index) => `steps.#name${index} = :step${index}`);
  const appends = added.length === 0 ? [] : ["stepOrder = list_append(stepOrder, :added)"];
  return new UpdateCommand({
    TableName: table.name,
    Key: operationKey(operationId),
    ConditionExpression: ["attribute_exists(pk)", ...conditions].join(" AND "),
    UpdateExpression: `SET ${[...sets, ...appends].join(", ")}`,
    ExpressionAttributeNames: Object.fromEntries(steps.map((step, index) => [`#name${index}`, step.name])),
    ExpressionAttributeValues: {
      ...Object.fromEntries(steps.map((step, index) => [`:step${index}`, stepSchema.parse(step)])),
      ...(added.length === 0 ? {} : { ":added": added }),
    },
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
}
