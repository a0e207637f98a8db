// What stands where rows would: nothing there, or something went wrong. Always one sentence and one way on.

import type { ReactNode } from "react";
import { Button } from "~/shared/button";

/** A calm block in the middle of a surface. */
export function Notice({
  icon,
  title,
  heading: Heading = "h2",
  children,
  actions,
}: {
  icon?: ReactNode;
  title: string;
  /** `h1` where it is the whole page. */
  heading?: "h1" | "h2";
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center gap-3 px-6 py-14 text-center">
      {icon && <div className="text-faint">{icon}</div>}
      <Heading className="text-base font-semibold text-balance">{title}</Heading>
      {children && <div className="w-full max-w-xl text-soft">{children}</div>}
      {actions && <div className="mt-1 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

/** A failure, its reason in the server's words, and Retry. */
export function Failure({
  title,
  reason,
  heading = "h2",
  onRetry,
}: {
  title: string;
  reason: string;
  heading?: "h1" | "h2";
  onRetry?: () => void;
}) {
  return (
    <div role="alert">
      <Notice title={title} heading={heading} actions={onRetry && <Button onClick={onRetry}>Retry</Button>}>
        {reason}
      </Notice>
    </div>
  );
}
