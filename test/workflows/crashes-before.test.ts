import { describe } from "vitest";
import { crashPromises } from "./support/crash-promises.ts";

describe("a control plane that dies before a checkpoint", () => {
  crashPromises("before");
});
