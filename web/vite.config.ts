import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { budget } from "./budget.ts";

export default defineConfig({
  plugins: [react(), budget()],
  build: {
    // The Content-Security-Policy forbids inline scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Swagger UI and the payment forms are separate chunks, loaded when a page needs them.
    chunkSizeWarningLimit: 1600,
    reportCompressedSize: false,
  },
  test: { include: ["src/**/*.test.ts", "*.test.ts"] },
});
