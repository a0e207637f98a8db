// Whether what is shown is true now: Live, Reconnecting or Offline since, with the age of the last event. Only a
// lost connection is an alert. What the connection does about it is the client's business.

import type { Link, StopReason } from "@shipboard/client";
import { useClient } from "@shipboard/client/react";
import { clsx } from "clsx";
import { useClockText } from "~/shared/clock";
import { formatAbsolute, formatClock, formatRough } from "~/shared/format";
import { signInHref } from "~/shared/session";

const STOP_WORDS = {
  unauthorized: "Signed out",
  forbidden: "Not allowed",
  not_found: "Not found",
  refused: "Refused",
  expired: "Session expired",
  revoked: "Access revoked",
  gone: "Deleted",
} satisfies Record<StopReason, string>;

/** What is said about a link: a word, its colour, and whether it is up. */
export function linkWords({ state }: Link): { word: string; look: "live" | "wait" | "down" } {
  switch (state.status) {
    case "live":
      return { word: "Live", look: "live" };
    case "connecting":
      return { word: "Connecting", look: "wait" };
    case "reconnecting":
      return { word: "Reconnecting", look: "wait" };
    case "offline":
      return { word: `Offline since ${formatClock(state.since)}`, look: "down" };
    case "stopped":
      return { word: STOP_WORDS[state.reason], look: "down" };
  }
}

/** Why what never loaded is not going to for now; null while it still may. */
export function obstacleOf(link: Link): string | null {
  const { state } = link;
  if (state.status === "offline" || state.status === "reconnecting")
    return "The server could not be reached.";
  // Whoever is signed out is led to the sign-in page.
  if (state.status !== "stopped" || state.reason === "unauthorized") return null;
  if (state.reason === "not_found") return "There is no such board, or you may not see it.";
  return `${linkWords(link).word}.`;
}

/** The link's state at the right of the header. */
export function LinkState({ link }: { link: Link }) {
  const client = useClient();
  const { word, look } = linkWords(link);
  const { lastEventAt, state } = link;
  // To ask again would be of no use: what one was signed in with is over.
  const signInAgain =
    state.status === "stopped" && (state.reason === "expired" || state.reason === "revoked");
  const age = useClockText((now) =>
    lastEventAt === null ? "" : formatRough(now - (lastEventAt + client.clock.offset())),
  );
  const tip =
    lastEventAt === null
      ? "No event yet"
      : `Last event: ${formatAbsolute(new Date(lastEventAt).toISOString())}`;
  return (
    <div className="flex items-center gap-2" data-link-state={link.state.status}>
      <span
        data-tip={tip}
        className={clsx(
          "flex items-center gap-2 text-cell font-medium whitespace-nowrap",
          look === "live" ? "text-success" : look === "wait" ? "text-waiting" : "text-failed",
        )}
      >
        <span
          aria-hidden="true"
          className={clsx(
            "size-2 rounded-full bg-current ring-3",
            look === "live"
              ? "ring-success-tint"
              : look === "wait"
                ? "ring-waiting-tint"
                : "ring-failed-tint",
          )}
        />
        {word}
        <span data-number="" className="min-w-9 font-normal text-faint max-sm:hidden">
          {age && `· ${age}`}
        </span>
      </span>
      {signInAgain && (
        <a
          href={signInHref(location.pathname + location.search, "over")}
          className="rounded-md px-1.5 py-0.5 text-cell font-medium whitespace-nowrap text-accent hover:bg-accent-tint"
        >
          Sign in
        </a>
      )}
      {look === "down" && !signInAgain && (
        <button
          type="button"
          onClick={() => client.retry()}
          className="rounded-md px-1.5 py-0.5 text-cell font-medium text-accent hover:bg-accent-tint"
        >
          Retry
        </button>
      )}
      <span role="alert" className="sr-only">
        {look === "down" ? `Connection: ${word}. What is shown may be out of date.` : ""}
      </span>
    </div>
  );
}
