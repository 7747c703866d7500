import { Database } from "./database.ts";
import { api, environment } from "./world.ts";

/** One statement as `admin`, with a connection of its own. */
export async function write(clusterId: string, statement: string): Promise<string> {
  await using database = await Database.of(environment, api, clusterId);
  return await database.sql("readWrite", "admin", statement);
}

/** What a table has in its column `i`, in order. */
export const rowsOf = (clusterId: string, table: string): Promise<string> =>
  write(clusterId, `SELECT string_agg(i::text, ',' ORDER BY i) FROM ${table}`);
