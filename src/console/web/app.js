// The entry of the console.
import { html, render } from "./lib/html.js";
import { startKeys } from "./lib/keys.js";
import { startRouter } from "./lib/router.js";
import { Shell } from "./parts/shell.js";

startRouter();
startKeys();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${Shell} />`, root);
