import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { budget } from "./budget.ts";
import { shell } from "./shell.ts";

export default defineConfig({
  plugins: [react(), budget(), shell()],
  resolve: {
    // The client is written for React and shipped with Preact, a sixth of its size: docs/adr/0078.
    alias: [
      { find: /^react$/, replacement: new URL("src/react.js", import.meta.url).pathname },
      { find: /^react\/jsx-runtime$/, replacement: "preact/jsx-runtime" },
      { find: /^react-dom$/, replacement: "preact/compat" },
      { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
    ],
  },
  build: {
    // The Content-Security-Policy forbids inline scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Swagger UI and the payment forms are separate chunks, loaded when a page needs them.
    chunkSizeWarningLimit: 1600,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // All pages need both, so the first page has three files in place of six. Browsers keep the libraries when a
          // deployment changes the client's own code only.
          groups: [
            {
              name: "libraries",
              test: /node_modules[\\/](?:preact|react-router|@tanstack|openapi-fetch)[\\/]/,
            },
            { name: "shared", test: /src[\\/](?:api|components)[\\/]/ },
          ],
        },
      },
    },
  },
  test: { include: ["src/**/*.test.ts", "*.test.ts"] },
});
