import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import type { TableUse } from "./messages.ts";

/** Items of a transaction, each of which IAM asks about as if it were a call. */
const inTransactions: Readonly<Record<string, string>> = {
  Put: "PutItem",
  Update: "UpdateItem",
  Delete: "DeleteItem",
  ConditionCheck: "ConditionCheckItem",
  Get: "GetItem",
};

/**
 * DynamoDB Local is no server of ours and knows no callers: what a function asks of it is seen where it asks. Each
 * way of using a table is told once.
 */
export function watchDynamoDb(tell: (use: TableUse) => void): void {
  const told = new Set<string>();
  const look = (request: ClientRequest, body: unknown): void => {
    const target = /^DynamoDB_\d+\.(\w+)$/.exec(String(request.getHeader("x-amz-target") ?? ""));
    const action = target?.[1];
    if (action === undefined || !(typeof body === "string" || Buffer.isBuffer(body))) return;
    for (const use of tableUsesOf(action, JSON.parse(body.toString()))) {
      const key = JSON.stringify(use);
      if (told.has(key)) continue;
      told.add(key);
      tell(use);
    }
  };
  subscribe("http.client.request.created", (message) => {
    const { request } = message as { request: ClientRequest };
    // The SDK hands a request's body over whole, as its end.
    const end = request.end.bind(request) as (...parts: unknown[]) => ClientRequest;
    request.end = (...parts: unknown[]) => {
      look(request, parts[0]);
      return end(...parts);
    };
  });
}

/** What a call does to which tables, from the body of its request. Keys and values stay where they are. */
export function tableUsesOf(action: string, body: unknown): TableUse[] {
  if (!isObject(body)) return [];
  const { TransactItems: items, RequestItems: requested } = body;
  if (Array.isArray(items)) return items.flatMap(usesOfItem);
  if (isObject(requested)) return Object.keys(requested).map((table) => ({ action, table, index: null }));
  return [useOf(action, body)];
}

function usesOfItem(item: unknown): TableUse[] {
  if (!isObject(item)) return [];
  return Object.entries(item).flatMap(([kind, content]) => {
    const action = inTransactions[kind];
    return action === undefined || !isObject(content) ? [] : [useOf(action, content)];
  });
}

function useOf(action: string, content: Readonly<Record<string, unknown>>): TableUse {
  const { TableName: table, IndexName: index } = content;
  return { action, table: String(table), index: typeof index === "string" ? index : null };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
