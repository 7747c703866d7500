import { openApiContext } from "../api/open.ts";
import { begin } from "./cluster/begin.ts";

const world = { context: openApiContext(), now: () => new Date() };

/** What a template says of a cluster begins: the first question of CloudFormation's. */
export const handler = (event: unknown) => begin(world, event);
