// The soft tint of what has just changed. It moves nothing and is over in less than a second.

const FLASH_MS = 900;

/** Tints an element for a moment. */
export function flash(element: HTMLElement | null): void {
  const tint = getComputedStyle(document.documentElement).getPropertyValue("--flash");
  element?.animate?.([{ backgroundColor: tint }, {}], { duration: FLASH_MS, easing: "ease-out" });
}
