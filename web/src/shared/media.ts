// Media queries as values, for the little that CSS cannot decide, such as the height the virtualiser counts in.

import { useCallback, useSyncExternalStore } from "react";

/** Below this width rows turn into two lines. */
export const NARROW = "(max-width: 639px)";

/** Whether a media query matches now. */
export function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (listener: () => void) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    [query],
  );
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches);
}
