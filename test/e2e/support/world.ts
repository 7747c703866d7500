import { inject } from "vitest";
import { Api } from "./api.ts";
import { Environment } from "./environment.ts";

/** The environment that setup.ts started. */
export const environment = new Environment(inject("stateDirectory"), inject("cacheDirectory"));
export const api = new Api(environment);
