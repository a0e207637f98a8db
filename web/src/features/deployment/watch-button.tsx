// "Notify me when it ends": asks the browser's permission on the click, never before, and says plainly what stands
// in the way. What is watched is watch.ts.

import type { DetailsScope } from "@shipboard/client";
import { useClient } from "@shipboard/client/react";
import { useRouter } from "@tanstack/react-router";
import { Bell, BellRing } from "lucide-react";
import { useState } from "react";
import { Button } from "~/shared/button";
import { notifier } from "./notify";
import { unwatch, useWatched, watch } from "./watch";

/** Why there will be no notification. */
type Obstacle = "unsupported" | "insecure" | "denied" | "dismissed";

const OBSTACLE_WORDS = {
  unsupported: "This browser cannot show notifications here.",
  insecure: "Browsers show notifications of https addresses only.",
  denied: "Notifications are blocked for this site. Allow them in the browser's settings, then press again.",
  dismissed: "The browser's question was not answered. Press again to be asked.",
} satisfies Record<Obstacle, string>;

async function obstacle(): Promise<Obstacle | null> {
  // Without a secure context some browsers have the interface, and it is always denied.
  if (!window.isSecureContext) return "insecure";
  if (!("Notification" in window)) return "unsupported";
  const answer = await Notification.requestPermission();
  return answer === "granted" ? null : answer === "denied" ? "denied" : "dismissed";
}

/** The toggle, and under it why it could not be switched on. */
export function WatchButton({ scope, active }: { scope: DetailsScope; active: boolean }) {
  const client = useClient();
  const watched = useWatched(scope);
  const router = useRouter();
  const [problem, setProblem] = useState<Obstacle | null>(null);

  const toggle = async () => {
    if (watched) {
      unwatch(scope);
      return;
    }
    const found = await obstacle();
    setProblem(found);
    if (found === null)
      watch(
        client,
        scope,
        notifier((path) => router.history.push(path)),
      );
  };
  if (!active) return null;
  const Icon = watched ? BellRing : Bell;
  return (
    <>
      <Button
        aria-pressed={watched}
        onClick={() => void toggle()}
        className={watched ? "border-accent! bg-accent-tint! text-accent!" : ""}
      >
        <Icon size={14} aria-hidden="true" />
        Notify me when it ends
      </Button>
      <p
        role="status"
        className="order-last w-full text-right text-cell text-waiting empty:hidden max-sm:text-left"
      >
        {problem && OBSTACLE_WORDS[problem]}
      </p>
    </>
  );
}
