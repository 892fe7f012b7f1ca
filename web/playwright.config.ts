import { defineConfig, devices } from "@playwright/test";

const { ADMIT_ONE_URL, CHROMIUM } = process.env;
if (!ADMIT_ONE_URL || !CHROMIUM) throw new Error("Run `make e2e`: it starts what these tests need.");

export default defineConfig({
  testDir: "e2e",
  outputDir: "results",
  workers: 2,
  fullyParallel: true,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    actionTimeout: 15_000,
    baseURL: ADMIT_ONE_URL,
    locale: "en-US",
    timezoneId: "UTC",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: CHROMIUM,
      // Chromium's own calls home would only fail; root, as in CI, has no sandbox.
      args: [
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "test", testMatch: "*.spec.ts", use: { viewport: { width: 1280, height: 800 } } },
    { name: "screenshots", testMatch: "screenshots.ts", use: { ...devices["Desktop Chrome"] } },
  ],
});
