import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { z } from "zod";
import type { OrphanNote } from "../../ports/store.ts";
import type { Table } from "./client.ts";
import { orphanKey, orphansPartition } from "./keys.ts";
import { everything } from "./partition.ts";

const noteSchema = z.object({ name: z.string(), firstSeenAt: z.iso.datetime() });

export async function listOrphans(table: Table): Promise<readonly OrphanNote[]> {
  return (await everything(table, orphansPartition)).map((item) => noteSchema.parse(item));
}

export async function noteOrphan(table: Table, note: OrphanNote): Promise<void> {
  const item = { ...orphanKey(note.name), ...noteSchema.parse(note) };
  await table.client.send(new PutCommand({ TableName: table.name, Item: item }));
}

export async function forgetOrphan(table: Table, name: string): Promise<void> {
  await table.client.send(new DeleteCommand({ TableName: table.name, Key: orphanKey(name) }));
}
