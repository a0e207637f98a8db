// The browser tab's title and icon. The icons are files, not data: addresses, because of the content security
// policy.

import type { Status } from "@shipboard/client";

/** Sets the tab's title and, for a deployment, the icon of its status. */
export function showTab(title: string, status: Status | null): void {
  document.title = title ? `${title} · Shipboard` : "Shipboard";
  const href = status === null ? "/favicon.svg" : `/favicon/${status}.svg`;
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (icon && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}
