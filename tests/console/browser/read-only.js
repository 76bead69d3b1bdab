// Against a service with `console.read_only`.
import { DESKTOP, scenario, signIn } from "./browser.js";

scenario("a read-only console says so", DESKTOP, async (page) => {
  await signIn(page);
  await page.getByText("Read-only: this console shows everything and changes nothing.").waitFor();
});
