import type { VerbFunction } from "../context.ts";
import { disableLoginsSql, enableLoginsSql } from "../database-sql.ts";
import { readPasswords, verifiers } from "../passwords.ts";
import { runSql } from "../psql.ts";
import { requireLeader } from "./apply-database.ts";

export const changeLogins: VerbFunction<"change-logins"> = async (input, context) => {
  await requireLeader();
  if (input.enable.length > 0) {
    const passwords = await readPasswords(context, input, input.enable);
    await runSql("postgres", enableLoginsSql(input.enable, await verifiers(input.clusterId, passwords)));
  }
  if (input.disable.length > 0) await runSql("postgres", disableLoginsSql(input.disable));
  return {};
};
