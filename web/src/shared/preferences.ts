// What a person has chosen about how pages look: kept in this browser, told to the document, the same in all its
// tabs. public/theme.js sets theme and density before the first paint with the same keys and words. Nothing
// here is known to the server.

import { signal, useSignal } from "~/shared/signal";
import { onStored, readStored, writeStored } from "~/shared/stored";

/** Light, dark, or as the system says. */
export type Theme = "system" | "light" | "dark";
/** How much room a row has. */
export type Density = "comfortable" | "compact";
/** How cells tell a time: how long ago, or when. */
export type Times = "relative" | "exact";

/** What a person has chosen. */
export interface Preferences {
  readonly theme: Theme;
  readonly density: Density;
  readonly times: Times;
}

const KEYS = {
  theme: "shipboard.theme",
  density: "shipboard.density",
  times: "shipboard.times",
} as const satisfies Record<keyof Preferences, string>;

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const current = signal(read());

function read(): Preferences {
  const theme = readStored(KEYS.theme);
  return {
    theme: theme === "light" || theme === "dark" ? theme : "system",
    density: readStored(KEYS.density) === "compact" ? "compact" : "comfortable",
    times: readStored(KEYS.times) === "exact" ? "exact" : "relative",
  };
}

function show(): void {
  const { theme, density, times } = current.get();
  const root = document.documentElement;
  const dark = theme === "dark" || (theme === "system" && systemDark.matches);
  root.dataset["theme"] = dark ? "dark" : "light";
  root.dataset["density"] = density;
  root.dataset["times"] = times;
}

current.subscribe(show);
systemDark.addEventListener("change", show);
onStored(Object.values(KEYS), () => current.set(read()));

/** Changes what is chosen, here and in the other tabs. */
export function setPreferences(change: Partial<Preferences>): void {
  const chosen = { ...current.get(), ...change };
  writeStored(KEYS.theme, chosen.theme);
  writeStored(KEYS.density, chosen.density);
  writeStored(KEYS.times, chosen.times);
  current.set(chosen);
}

/** What is chosen now. */
export const usePreferences = (): Preferences => useSignal(current);
