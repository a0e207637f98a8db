// Small texts kept in this browser for all its tabs. Storage may be forbidden or full: then what was chosen holds
// for as long as the page does, and nobody is troubled with it.

/** The text under a key, if there is one. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a text under a key, or nothing any more. */
export function writeStored(key: string, text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Not kept.
  }
}

/** Calls back when another tab has changed one of these keys; returns what stops it. */
export function onStored(keys: readonly string[], listener: () => void): () => void {
  const hear = (event: StorageEvent) => {
    // All of it was cleared, if there is no key.
    if (event.key === null || keys.includes(event.key)) listener();
  };
  window.addEventListener("storage", hear);
  return () => window.removeEventListener("storage", hear);
}
