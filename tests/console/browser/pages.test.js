import { assertAccessible, assertFits, base, DESKTOP, job, PHONE, scenario, signIn } from "./browser.js";

const OPERATIONS = ["", "/provider", "/deliveries", "/drift", "/storage", "/callers", "/keys", "/configuration"];

/** @type {[string, string][]} path and heading */
const PAGES = [
  ["/console/jobs", "Jobs"],
  [`/console/jobs/${job}`, "call-2"],
  ["/console/search?q=invoice", "Search"],
  ["/console/conversations", "Conversations"],
  ["/console/endpoints", "Endpoints"],
  ...OPERATIONS.map((part) => /** @type {[string, string]} */ ([`/console/operations${part}`, "Operations"])),
];

const WIDE = { viewport: { width: 2560, height: 1300 } };

for (const [look, options] of /** @type {const} */ ([
  ["light", { ...DESKTOP, colorScheme: "light" }],
  ["dark", { ...DESKTOP, colorScheme: "dark" }],
  ["light, on a phone", { ...PHONE, colorScheme: "light" }],
  ["dark, on a phone", { ...PHONE, colorScheme: "dark" }],
  ["light, on a wide screen", { ...WIDE, colorScheme: "light" }],
])) {
  scenario(`the page to sign in is accessible and fits (${look})`, options, async (page) => {
    await page.goto(`${base}/console/sign-in`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Paste an API key.").waitFor();
    await assertAccessible(page);
    await assertFits(page);
  });

  scenario(`every page is accessible and fits (${look})`, options, async (page) => {
    await signIn(page);
    for (const [path, heading] of PAGES) {
      await page.goto(`${base}${path}`);
      await page.getByRole("heading", { level: 1, name: heading }).waitFor();
      await page.locator(".loading").first().waitFor({ state: "detached" });
      await assertAccessible(page);
      await assertFits(page);
    }
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Keyboard shortcuts" }).click();
    await page.getByRole("dialog").waitFor();
    await assertAccessible(page);
  });
}
