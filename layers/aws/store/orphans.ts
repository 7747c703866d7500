import { DeleteCommand, PutCommand, QueryCommand, type QueryCommandOutput } from "@aws-sdk/lib-dynamodb";
import { z } from "zod";
import type { OrphanNote } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { orphanKey, orphansPartition } from "./keys.ts";

const noteSchema = z.object({ name: z.string(), firstSeenAt: z.iso.datetime() });

export async function listOrphans(table: Table): Promise<readonly OrphanNote[]> {
  const notes: OrphanNote[] = [];
  let from: QueryCommandOutput["LastEvaluatedKey"];
  do {
    const answer: QueryCommandOutput = await table.client.send(
      new QueryCommand({
        TableName: table.name,
        ConsistentRead: true,
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": orphansPartition },
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      }),
    );
    notes.push(...(answer.Items ?? []).map((item) => noteSchema.parse(item)));
    from = answer.LastEvaluatedKey;
  } while (from !== undefined);
  return notes;
}

export async function noteOrphan(table: Table, note: OrphanNote): Promise<void> {
  const item = { ...orphanKey(note.name), ...noteSchema.parse(note) };
  await table.client.send(new PutCommand({ TableName: table.name, Item: item }));
}

export async function forgetOrphan(table: Table, name: string): Promise<void> {
  await table.client.send(new DeleteCommand({ TableName: table.name, Key: orphanKey(name) }));
}
