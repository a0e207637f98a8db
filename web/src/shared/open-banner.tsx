// Said on every page as long as the doors are open: it is the right thing on one's own machine, and nowhere else.

import { useSession } from "~/shared/session";

/** Tells that nobody has to sign in; nothing where somebody has to. */
export function OpenBanner() {
  if (useSession()?.mode !== "open") return null;
  return (
    <aside aria-label="Open mode" className="bg-ink px-3 py-1.5 text-center text-sm text-page sm:px-6">
      <strong className="font-semibold">Open to everybody who reaches this address.</strong> The first token
      closes the doors.
    </aside>
  );
}
