// The browser tab's title and icon. The icons are files, not data: addresses, because of the content security
// policy.

import type { Status } from "@shipboard/client";

/** Icons of a running deployment show how far it is, in steps of so many percent. */
const STEP_PERCENT = 10;

/** The icon of a status; of a running deployment with a reported percent, the icon of its step. */
export function iconOf(status: Status | null, percent: number | null): string {
  if (status === null) return "/favicon.svg";
  const step = Math.floor((percent ?? 0) / STEP_PERCENT) * STEP_PERCENT;
  return status === "running" && step > 0 && step < 100
    ? `/favicon/running-${step}.svg`
    : `/favicon/${status}.svg`;
}

/** Sets the tab's title and, for a deployment, the icon of its status and of how far it is. */
export function showTab(title: string, status: Status | null, percent: number | null = null): void {
  document.title = title ? `${title} · Shipboard` : "Shipboard";
  const href = iconOf(status, percent);
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (icon && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}
