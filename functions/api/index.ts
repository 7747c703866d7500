import { lambdaHandler } from "@pgherd/layers/runtime/http";
import { createApi } from "./app.ts";
import { openApiContext } from "./open.ts";

export const handler = lambdaHandler(createApi(openApiContext()));
