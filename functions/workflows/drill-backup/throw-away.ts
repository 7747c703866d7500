import { type DrillRequest, drillRequestSchema } from "@pgherd/layers/domain";
import {
  type Chapter,
  pointOfNoReturn,
  type Scope,
  type Step,
  step,
  together,
} from "@pgherd/layers/runtime/workflow";
import type { ClusterScope } from "../create-cluster/records.ts";
import type { ClusterPorts } from "../ports.ts";

export const drillOf = ({ request }: Pick<ClusterScope, "request">): DrillRequest =>
  drillRequestSchema.parse(request);

/** The drill's own cluster, as the steps of a restore know the one that they make. */
export function inThrowAway(scope: ClusterScope): ClusterScope {
  const { source, throwAway } = drillOf(scope);
  const { clusterId, nodeId: id, zone } = throwAway;
  return { ...scope, clusterId, nodes: [{ id, zone }], request: { ...source } };
}

type Own = Chapter<ClusterPorts>;

/** The same chapters about the drill's own cluster, while the operation is the one's that the backup is of. */
export const aboutThrowAway = (chapters: readonly Own[]): Own[] => chapters.map(aboutIt);

function aboutIt(chapter: Own): Own {
  if (chapter.kind === "point-of-no-return") return pointOfNoReturn;
  if (chapter.kind === "together") return together(...chapter.steps.map(turned));
  return turned(chapter);
}

/** Its one node is known from the call on. */
function turned(one: Exclude<Own, { kind: "together" | "point-of-no-return" }>): Step<ClusterPorts> {
  if (one.kind === "step") {
    const { act, undo } = one;
    return {
      ...one,
      act: (scope) => act(inThrowAway(scope)),
      undo: undo === null ? null : (scope, earlier) => undo(inThrowAway(scope), earlier),
    };
  }
  const { act, name, undo } = one;
  const nodeOf = (scope: Scope<ClusterPorts>): string => drillOf(scope).throwAway.nodeId;
  return step(
    name,
    (scope) => act(inThrowAway(scope), nodeOf(scope)),
    undo === null ? null : (scope) => undo(inThrowAway(scope), nodeOf(scope)),
  );
}
