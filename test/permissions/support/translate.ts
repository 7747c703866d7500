import { tagNames } from "../../../layers/domain/cluster/names.ts";
import type { RecordedStage } from "../../../local/permissions/record.ts";
import type { PermissionUse } from "../../../local/permissions/use.ts";
import type { PaperStage } from "../../infra/support/paper-stage.ts";

const recordedName = "local";

/** Shorter ones stand in other words by chance. */
const nameCharactersMin = 6;

/** What was recorded in one stage, as it would have been in another one: its names, region and account. */
export function translatorTo(
  stage: PaperStage,
  recorded: RecordedStage,
): (use: PermissionUse) => PermissionUse {
  const names = namesIn(stage, recorded);
  const places: readonly (readonly [string, string])[] = [
    [`:${recorded.region}:`, `:${stage.region}:`],
    [`:${recorded.account}:`, `:${stage.account}:`],
    [`-${recorded.account}-${recorded.region}`, `-${stage.account}-${stage.region}`],
    [`.${recorded.region}.amazonaws.com`, `.${stage.region}.amazonaws.com`],
    [`pgherd/${recordedName}/`, `pgherd/${stage.name}/`],
    [`pgherd-${recordedName}-`, `pgherd-${stage.name}-`],
  ];
  const translate = (text: string): string =>
    [...names, ...places].reduce((result, [from, to]) => result.replaceAll(from, to), text);
  return (use) => ({
    role: translate(use.role),
    action: use.action,
    resource: translate(use.resource).replace(/(parameter\/pgherd)\/local$/, `$1/${stage.name}`),
    circumstances: Object.fromEntries(
      Object.entries(use.circumstances).map(([key, value]) => [
        key,
        key.endsWith(`Tag/${tagNames.environment}`) && value === recordedName ? stage.name : translate(value),
      ]),
    ),
  });
}

/** Name of a resource there → name of the same resource here, longer ones first. */
function namesIn(stage: PaperStage, recorded: RecordedStage): readonly (readonly [string, string])[] {
  const names = new Map<string, string>();
  for (const [key, there] of Object.entries(recorded.resources)) {
    const here = stage.resources.get(key.replace(`pgherd-${recordedName}-`, `pgherd-${stage.name}-`));
    if (here === undefined) continue;
    const arn = here.attributes["Arn"];
    if (arn !== undefined && there.attributes["Arn"] !== undefined) names.set(there.attributes["Arn"], arn);
    if (there.ref.length >= nameCharactersMin) names.set(there.ref, here.ref);
  }
  return [...names].toSorted(([left], [right]) => right.length - left.length);
}
