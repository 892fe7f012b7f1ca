import { defineConfig, devices } from "@playwright/test";

const { ADMIT_ONE_URL, CHROMIUM } = process.env;
if (!ADMIT_ONE_URL || !CHROMIUM)
  throw new Error("Run these tests with `make e2e`, which starts a stack for them.");

export default defineConfig({
  testDir: "e2e",
  outputDir: "results",
  workers: 2,
  fullyParallel: true,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    actionTimeout: 30_000,
    baseURL: ADMIT_ONE_URL,
    locale: "en-US",
    timezoneId: "UTC",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: CHROMIUM,
      // No background requests of Chromium's own. The sandbox does not work as root.
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
