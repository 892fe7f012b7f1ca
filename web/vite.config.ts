import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { budget } from "./budget.ts";

export default defineConfig({
  plugins: [react(), budget()],
  build: {
    // Nothing inline: the Content-Security-Policy allows what has an address of ours, and no more.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Swagger UI and the payment forms come in chunks of their own, when a page needs them.
    chunkSizeWarningLimit: 1600,
    reportCompressedSize: false,
  },
  test: { include: ["src/**/*.test.ts", "*.test.ts"] },
});
