// Who is signed in, and what they may do.
import { createContext, useContext } from "./html.js";

/**
 * @typedef {object} Session
 * @property {string} caller whose conversations are shown
 * @property {string} ownCaller the caller of the key
 * @property {string} keyName
 * @property {string[]} scopes
 * @property {string} expiresAt
 * @property {boolean} readOnly
 * @property {"dev" | "production"} environment
 * @property {string} version
 * @property {string[]} [callers] all callers; only with `admin:read`
 */

export const SessionContext = createContext(/** @type {Session | null} */ (null));

/** @returns {Session} */
export function useSession() {
  return /** @type {Session} */ (useContext(SessionContext));
}

/**
 * The scope that the key lacks, if it does. What changes the data of another caller also takes `admin:write`.
 * @param {Session} session
 * @param {string} scope
 */
export function lacks({ scopes, caller, ownCaller }, scope) {
  const needed = scope.endsWith(":write") && caller !== ownCaller ? [scope, "admin:write"] : [scope];
  return needed.find((one) => !scopes.includes(one));
}

/**
 * Whether the key has the scopes that it takes and, for changes, the console is not read-only.
 * @param {Session} session
 * @param {string} scope
 */
export function may(session, scope) {
  return !lacks(session, scope) && !(session.readOnly && scope.endsWith(":write"));
}
