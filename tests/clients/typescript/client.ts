// What the programs share: a client with the generated types.
import assert from "node:assert/strict";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./api.js";

export type Schemas = components["schemas"];

export function env(name: string): string {
  const value = process.env[name];
  assert.ok(value, name);
  return value;
}

export function client(key: string): Client<paths> {
  return createClient<paths>({ baseUrl: env("AFTERCALL_API"), headers: { Authorization: `Bearer ${key}` } });
}

/** Returns the body of a success; throws the problem otherwise. */
export function got<T>(answer: { data?: T; error?: Schemas["Problem"] | undefined }): T {
  assert.ok(answer.data !== undefined, answer.error && `${answer.error.code}: ${answer.error.detail}`);
  return answer.data;
}
