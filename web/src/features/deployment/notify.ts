// Shows the notification of a watched deployment's end, and takes up a tab's watches after a reload, whichever page
// that was on. What is watched is watch.ts.

import type { ShipboardClient } from "@shipboard/client/app";
import { announce } from "~/shared/announce";
import { deploymentPath } from "~/shared/paths";
import { noteOf, resumeWatches, type Tell } from "./watch";

/** Tells by a notification; a click on it brings the deployment into sight. */
export function notifier(goTo: (path: string) => void): Tell {
  return (row, scope) => {
    const { title, options } = noteOf(row, scope);
    announce(title);
    try {
      const notification = new Notification(title, options);
      notification.onclick = () => {
        window.focus();
        notification.close();
        const path = deploymentPath(scope, scope.id);
        if (location.pathname !== path) goTo(path);
      };
    } catch {
      // Some browsers have the constructor and refuse to use it; the line was said.
    }
  };
}

/** Goes on with what this tab watched before it was loaded. */
export const resume = (client: ShipboardClient, goTo: (path: string) => void): void =>
  resumeWatches(client, notifier(goTo));
