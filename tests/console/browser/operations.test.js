// What operators see, and what they can do about a delivery that cannot be used.
import { DESKTOP, PHONE, scenario, signIn } from "./browser.js";
import { ask, callerOf } from "./service.js";

scenario("the overview has the numbers of the dashboards, and follows them", DESKTOP, async (page) => {
  await signIn(page, "/console/operations");
  for (const name of ["Jobs", "Provider", "Webhook", "Notifications", "Database"]) {
    await page.getByRole("region", { name, exact: true }).waitFor();
  }
  const { notifications, database } = await ask("GET", "/v1/admin/overview");
  const tile = (/** @type {string} */ name) => page.locator(".vital", { hasText: name });
  await tile("Stopped endpoints").getByText(String(notifications.stoppedEndpoints), { exact: true }).waitFor();
  await tile("Connections").getByText(`of ${database.connectionsMax}`).waitFor();
  const sampled = page.locator(".sampled time");
  const first = await sampled.getAttribute("datetime");
  // Sampled every 15 seconds.
  await page.waitForFunction(
    (first) => document.querySelector(".sampled time")?.getAttribute("datetime") !== first,
    first,
    { timeout: 30_000 },
  );
});

scenario("each page of operations has what it is about", DESKTOP, async (page) => {
  await signIn(page, "/console/operations");
  const open = (/** @type {string} */ name) =>
    page.getByRole("navigation", { name: "Operations" }).getByRole("link", { name }).click();
  await open("Provider");
  await page.getByText("Jobs are submitted as fast as the rate limit allows").waitFor();
  await page.getByText("Penalty").waitFor();
  await open("Drift");
  // Whatever other tests have had delivered.
  await page
    .getByText(/^The provider keeps to its contract|What the provider sent that its contract does not have/)
    .waitFor();
  await open("Storage");
  await page.getByText("How long it is kept").waitFor();
  await page.getByRole("region", { name: "Partitions" }).waitFor();
  await open("Callers");
  await page.getByRole("row", { name: "tester" }).waitFor();
  await open("Configuration");
  await page.getByLabel("Find").fill("console.session");
  await page.getByText("1 setting", { exact: true }).waitFor();
  await page.getByRole("cell", { name: "12h" }).waitFor();
  await page.getByLabel("Find").fill("seal.key");
  await page
    .getByText(/•|\*\*\*|hidden/)
    .first()
    .waitFor();
});

scenario("a key without admin:read is told what it takes", PHONE, async (page) => {
  await signIn(page, "/console/operations", await callerOf("plain", ["jobs:read"]));
  await page.getByText("This key may not see operations").waitFor();
  await page.getByText("admin:read").waitFor();
});
