import { logs } from "./commands/logs.ts";
import { psql } from "./commands/psql.ts";
import { start } from "./commands/start.ts";
import { status } from "./commands/status.ts";
import { destroy, stop } from "./commands/stop.ts";
import { describeFailure, UserError } from "./commands/terminal.ts";
import { token } from "./commands/token.ts";
import { environmentPaths } from "./environment/paths.ts";
import { type EnvironmentSettings, readSettings } from "./environment/settings.ts";

/** The commands of package.json that concern the local environment; local/bootstrap.sh makes the machine ready first. */

const paths = environmentPaths(process.env);

async function settingsOrRefuse(): Promise<EnvironmentSettings> {
  const settings = await readSettings(paths);
  if (settings === null)
    throw new UserError(`there is no environment in ${paths.state}: npm start makes one`);
  return settings;
}

async function run(command: string | undefined, args: readonly string[]): Promise<void> {
  switch (command) {
    case "start":
      return start(paths, args);
    case "status":
      return status(paths, await settingsOrRefuse());
    case "logs":
      await settingsOrRefuse();
      return logs(paths, args);
    case "psql":
      return psql(paths, await settingsOrRefuse(), args);
    case "token":
      return token(paths, await settingsOrRefuse(), args);
    case "stop":
      return stop(paths, await settingsOrRefuse());
    case "destroy":
      return destroy(paths);
    default:
      throw new UserError(`there is no command ${command ?? "(none)"}: npm start -- --help names them`);
  }
}

const [command, ...args] = process.argv.slice(2);
run(command, args).catch((error: unknown) => {
  process.stderr.write(`pgherd: ${describeFailure(error)}\n`);
  // What else is under way must not keep the reader waiting: everything that a command does can be repeated.
  process.exit(1);
});
