import type { components } from "./openapi";

declare global {
  /** What the API sends and takes, as in docs/openapi.json: `Api["JobView"]`. */
  type Api = components["schemas"];
}
