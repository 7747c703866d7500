import { z } from "zod";

/** As PostgreSQL's catalogue has the names, without quotes. */
const tableSchema = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_$]{0,62}\.[A-Za-z_][A-Za-z0-9_$]{0,62}$/,
    'must be a schema and a table with a dot between them, such as "public.orders"',
  );
/** Each is read from its first page to its last. */
const tablesMax = 50;

/** Tables whose rows a drill counts. */
export const drillTablesSchema = z
  .array(tableSchema)
  .max(tablesMax)
  .refine((tables) => new Set(tables).size === tables.length, "must not name a table twice");
