// Theme and density: kept in this browser, told to the document, the same in all its tabs. public/theme.js
// sets them before the first paint with the same keys and words. Nothing here is known to the server.

import { useSyncExternalStore } from "react";

/** Light, dark, or as the system says. */
export type Theme = "system" | "light" | "dark";
/** How much room a row has. */
export type Density = "comfortable" | "compact";

/** What a person has chosen. */
export interface Preferences {
  readonly theme: Theme;
  readonly density: Density;
}

const THEME_KEY = "shipboard.theme";
const DENSITY_KEY = "shipboard.density";

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let current = read();

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function read(): Preferences {
  const theme = stored(THEME_KEY);
  const density = stored(DENSITY_KEY);
  return {
    theme: theme === "light" || theme === "dark" ? theme : "system",
    density: density === "compact" ? "compact" : "comfortable",
  };
}

function show(): void {
  const root = document.documentElement;
  const dark = current.theme === "dark" || (current.theme === "system" && systemDark.matches);
  root.dataset["theme"] = dark ? "dark" : "light";
  root.dataset["density"] = current.density;
  for (const listener of listeners) listener();
}

systemDark.addEventListener("change", show);
window.addEventListener("storage", (event) => {
  if (event.key !== THEME_KEY && event.key !== DENSITY_KEY) return;
  current = read();
  show();
});

/** Changes what is chosen, here and in the other tabs. */
export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(THEME_KEY, current.theme);
    localStorage.setItem(DENSITY_KEY, current.density);
  } catch {
    // Without storage the choice holds for as long as the page does.
  }
  show();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** What is chosen now. */
export const usePreferences = (): Preferences => useSyncExternalStore(subscribe, () => current);
