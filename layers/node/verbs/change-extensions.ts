import type { VerbFunction } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { identifier, runSql } from "../psql.ts";
import { requireLeader } from "./apply-database.ts";

/** PostgreSQL refuses to drop what something depends on, and says what. */
const dependency = /cannot drop extension|other objects depend on it/;

export const changeExtensions: VerbFunction<"change-extensions"> = async (input) => {
  await requireLeader();
  const statements = [
    ...input.create.map(
      (name) => `CREATE EXTENSION IF NOT EXISTS ${identifier(name)} SCHEMA public CASCADE;`,
    ),
    ...input.update.map((name) => `ALTER EXTENSION ${identifier(name)} UPDATE;`),
    ...input.drop.map((name) => `DROP EXTENSION IF EXISTS ${identifier(name)} RESTRICT;`),
  ];
  try {
    await runSql(input.database, ["BEGIN;", ...statements, "COMMIT;"].join("\n"));
  } catch (error) {
    if (!(error instanceof NodeFailure) || !dependency.test(error.message)) throw error;
    throw new NodeFailure(error.message, { code: "extension-in-use", cause: error });
  }
  return {};
};
