// The beginning: one client, one cache for what is read once, one router. The client lives as long as the page.

import "~/shared/styles.css";
import { createClient } from "@shipboard/client/app";
import { ShipboardProvider } from "@shipboard/client/react";
import { acrossTabs, browserTabs } from "@shipboard/client/sharing";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { StatusLine } from "~/shared/status-line";
import { TipLayer } from "~/shared/tip";
import { createAppRouter, preloadPages } from "./router";

// One stream for all tabs of the browser; tabs of another build keep to themselves, and so does a browser without locks.
const client = createClient({ carrier: acrossTabs(browserTabs(), import.meta.url) });
const queries = new QueryClient({
  defaultOptions: { queries: { retry: 1, refetchOnWindowFocus: false } },
});
const router = createAppRouter();

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <ShipboardProvider client={client}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <TipLayer />
        <StatusLine />
      </QueryClientProvider>
    </ShipboardProvider>
  </StrictMode>,
);

/** Late enough not to be in the first page's way. */
const AFTERWARDS_MS = 1_500;
setTimeout(() => {
  preloadPages();
  import("~/features/deployment/notify").then(
    ({ resume }) => resume(client, (path) => router.history.push(path)),
    () => undefined,
  );
}, AFTERWARDS_MS);
