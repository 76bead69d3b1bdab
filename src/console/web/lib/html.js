// Preact and htm: the one place that names them.
import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "../vendor/hooks.js";
export { createContext, Fragment, render } from "../vendor/preact.js";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => import("../vendor/preact.js").VNode} */
export const html = /** @type {any} */ (htm.bind(h));
