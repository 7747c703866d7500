import { openApiContext } from "../api/open.ts";
import { look } from "./cluster/look.ts";

const world = { context: openApiContext(), now: () => new Date() };

/** Whether what began is done: asked again and again, for as long as CloudFormation waits. */
export const handler = (event: unknown) => look(world, event);
