import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:7700" } },
  build: {
    outDir: "dist",
    // An inlined asset would be a data: URL, which the page's content security policy does not allow.
    assetsInlineLimit: 0,
    // The polyfill would be the only inline-like script, and every browser with EventSource streams has it.
    modulePreload: { polyfill: false },
  },
});
